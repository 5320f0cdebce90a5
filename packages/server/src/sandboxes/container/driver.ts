import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { Sandbox, SandboxDriver, SandboxRef, SandboxSpec } from '../../domain/ports/sandbox.ts';
import { registryEnv, type EcosystemSource, type EgressDoorOptions } from '../../egress/index.ts';
import { type Authorities, sandboxAuthorities } from '../local/authorities.ts';
import type { ChannelSandbox } from '../channel-sandbox.ts';
import { assignPlace, attachToPlace, connectToPlace, type LocalLink } from '../local/connect.ts';
import { diskImagesWork } from '../local/disk-image.ts';
import { sandboxUidsExist } from '../local/identity.ts';
import { workerEcosystems } from '../local/ecosystems.ts';
import { hardLimits } from '../local/limits.ts';
import { listPlaces, Place, type PlaceRecord } from '../local/place.ts';
import { toolsDirectory } from '../tools/index.ts';
import { endContainerSandbox } from './end.ts';
import { engineSentence, findEngine, oldestVersion, orAbort, type Engine } from './engine.ts';
import { identityOn } from './identity.ts';
import { createImageRegistries } from './image-registries.ts';
import { describeImage, resolveImage, type SandboxImage } from './image.ts';
import { pinnedImage } from './pins.ts';
import { labels } from './plan.ts';
import { probeEngine } from './probe.ts';
import { assertServices } from './service-plan.ts';
import { SandboxServices } from './services.ts';
import { startContainer, userOf } from './start.ts';

export interface ContainerOptions {
  /** Absolute; one of this driver's own, reachable by the uids of sandboxes. */
  readonly stateDirectory: string;
  readonly clock: Clock;
  /** Names the engine: `DOCKER_HOST` or `CONTAINER_HOST`; otherwise the usual sockets. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** For sandboxes whose profile names none; without it those are refused. */
  readonly defaultImage?: string;
  /** Where the tools for images are kept, if not in the state directory. */
  readonly toolsDirectory?: string;
  readonly ecosystems?: EcosystemSource;
  /** As `sandboxAuthorities` takes it. */
  readonly authoritySeed?: Uint8Array;
  /** Settings of the way out that are not the policy's. */
  readonly egress?: Pick<EgressDoorOptions, 'refusedRanges' | 'limits' | 'resolve' | 'proxyEnv' | 'trusted'>;
  /** A sandbox that no worker was connected to for so long ends itself. */
  readonly idleMinutes?: number;
  /** Watches the disk even where it could be held: what a machine without loop devices does. */
  readonly watchesDisk?: boolean;
}

const defaultIdleMinutes = 24 * 60;
/** To have the image of a sandbox that is there already. */
const attachMs = 60_000;

/** Sandboxes in containers of Docker or Podman on this machine; sandboxd outside of them. */
export class ContainerDriver implements SandboxDriver {
  readonly name = 'container';
  readonly #options: ContainerOptions;
  readonly #ecosystems: EcosystemSource;
  readonly #authorities: Authorities;
  readonly #registriesOf: ReturnType<typeof createImageRegistries>;
  readonly #installation: string;
  /** Of the sandboxes that this process is connected to. */
  readonly #services = new Map<string, SandboxServices>();
  readonly #images = new Map<string, Promise<SandboxImage>>();
  #engine: Promise<Engine> | null = null;
  #noDiskImages: Promise<string | null> | null = null;
  #toolsMade: Promise<string> | null = null;

  constructor(options: ContainerOptions) {
    this.#options = options;
    this.#ecosystems = options.ecosystems ?? workerEcosystems(options.clock);
    this.#authorities = sandboxAuthorities(options.authoritySeed, options.clock);
    this.#registriesOf = createImageRegistries(this.#ecosystems);
    this.#installation = createHash('sha256').update(options.stateDirectory).digest('hex').slice(0, 12);
  }

  async probe(signal?: AbortSignal): ReturnType<SandboxDriver['probe']> {
    void registryEnv(this.#ecosystems);
    this.#makeStateDirectory();
    return probeEngine({
      env: this.#options.env,
      toolsDirectory: () => this.#tools(),
      noDiskImages: () => this.#findDiskImages(),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /** An image has to be named, and services need names and ports of their own. */
  assertSuits(profile: SandboxSpec['profile']): void {
    this.#imageFor(profile);
  }

  async create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    signal.throwIfAborted();
    const imageName = this.#imageFor(spec.profile);
    const place = this.#place(spec.id);
    if (place.createdMs() !== null)
      throw new BerthError('SANDBOX_UNAVAILABLE', `There already is a sandbox ${spec.id}.`);
    this.#makeStateDirectory();
    const engine = await this.#findEngine(signal);
    if (Number.parseInt(engine.version, 10) < oldestVersion[engine.kind])
      throw new BerthError(
        'SANDBOX_UNAVAILABLE',
        `The container engine (${engine.kind} ${engine.version}) is older than ${oldestVersion[engine.kind]}.`,
      );
    const identity = identityOn(engine);
    if (identity.kind === 'dedicated' && !sandboxUidsExist())
      throw new BerthError(
        'SANDBOX_UNAVAILABLE',
        'This user namespace has no user ids 64000 to 64999 for sandboxes.',
      );
    const [image, tools, noDiskImages] = await Promise.all([
      this.#image(engine, spec.runId, imageName, signal),
      this.#tools(),
      this.#findDiskImages(),
    ]);
    if (!image.hasShell)
      throw new BerthError('SANDBOX_IMAGE_NO_SHELL', `The image ${imageName} has no /bin/sh.`);
    try {
      const ecosystems = await orAbort(this.#ecosystemsOf(engine, image, tools), signal);
      const record = await startContainer({
        spec,
        place,
        engine,
        identity,
        image,
        installation: this.#installation,
        containerName: this.#containerName(spec.id),
        tools,
        hard: hardLimits(readFileSync('/proc/self/limits', 'utf8')),
        noDiskImages,
        authority: this.#authorities(spec.id),
        ecosystems,
        idleMinutes: this.#options.idleMinutes ?? defaultIdleMinutes,
        createdMs: this.#options.clock.nowMs(),
        signal,
      });
      const services = this.#servicesOf(spec, place, engine, record);
      const sandbox = await connectToPlace(
        this.#link(ecosystems, services),
        place,
        record,
        spec,
        signal,
        true,
      );
      return await this.#withServices(sandbox, services, signal);
    } catch (error) {
      await this.destroy(spec.id);
      signal.throwIfAborted();
      if (error instanceof BerthError) throw error;
      throw new BerthError('SANDBOX_UNAVAILABLE', `The sandbox could not be made: ${engineSentence(error)}`, {
        cause: error,
      });
    }
  }

  async attach(ref: SandboxRef, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox | null> {
    const place = this.#place(ref.id);
    const record = place.read();
    const hasServices = record !== null && (spec.profile?.services ?? []).length > 0;
    const services = hasServices
      ? this.#servicesOf(spec, place, await this.#findEngine(signal), record)
      : null;
    const link = this.#link(this.#laterEcosystems(spec), services);
    const sandbox = await attachToPlace(link, place, ref, spec, signal);
    return sandbox === null ? null : await this.#withServices(sandbox, services, signal);
  }

  /** Only one of the image that the run has pinned, or would pin now. */
  async assign(idle: SandboxRef, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox | null> {
    // Services start with their sandbox; they have none to be given to.
    if ((spec.profile?.services ?? []).length > 0) return null;
    const place = this.#place(idle.id);
    const engine = await this.#findEngine(signal);
    const image = await this.#image(engine, spec.runId, this.#imageFor(spec.profile), signal);
    if (place.read()?.container?.image !== (image.digest ?? image.id)) return null;
    return await assignPlace(this.#link(this.#laterEcosystems(spec), null), place, idle, spec, signal);
  }

  async list(): ReturnType<SandboxDriver['list']> {
    const places = listPlaces(this.#options.stateDirectory);
    const known = new Set(places.map(({ id }) => id));
    const engine = await this.#findEngine().catch(() => null);
    // Without an engine no container can be removed either; directories still can.
    const found = await engine?.docker.listContainers({
      all: true,
      filters: { label: [`${labels.installation}=${this.#installation}`] },
    });
    const orphans = (found ?? [])
      .map(({ Labels, Created }) => ({
        id: Labels[labels.sandbox] ?? '',
        runId: Labels[labels.run] ?? '',
        createdMs: Created * 1_000,
      }))
      .filter(({ id }) => id !== '' && !known.has(id));
    // A sandbox with services has several containers.
    return [...places, ...new Map(orphans.map((one) => [one.id, one])).values()];
  }

  /** The image the engine resolved when it was made, whatever its name means by now; and the tools beside it. */
  async fingerprint({ id }: Pick<SandboxSpec, 'id'>): Promise<string | null> {
    const image = this.#place(id).read()?.container?.image;
    if (image === undefined || !/sha256:[0-9a-f]{64}$/.test(image)) return null;
    return `${image} ${process.arch} tools ${basename(await this.#tools())}`;
  }

  async destroy(id: string): Promise<void> {
    const place = this.#place(id);
    // Nothing is started again from here on.
    await this.#services.get(id)?.close();
    const engine = await this.#findEngine().catch(() => null);
    await endContainerSandbox(place, this.#containerName(id), engine?.socketPath ?? null);
  }

  #link(ecosystems: EcosystemSource, services: SandboxServices | null): LocalLink {
    return {
      driver: this.name,
      clock: this.#options.clock,
      authorities: this.#authorities,
      ecosystems,
      ...(this.#options.egress === undefined ? {} : { egress: this.#options.egress }),
      destroy: (id) => this.destroy(id),
      ...(services === null
        ? {}
        : {
            onRunnerUp: () => services.renew(),
            onNotice: (listener) => services.onNotice(listener),
          }),
    };
  }

  #servicesOf(spec: SandboxSpec, place: Place, engine: Engine, record: PlaceRecord): SandboxServices | null {
    if ((spec.profile?.services ?? []).length === 0) return null;
    const identity = identityOn(engine);
    const seccompFile = place.path('seccomp.json');
    return new SandboxServices({
      spec,
      place,
      engine,
      installation: this.#installation,
      containerName: this.#containerName(spec.id),
      seccompFile: existsSync(seccompFile) ? seccompFile : null,
      user: {
        ...userOf(identity, record.uid),
        keepsUser: identity.kind === 'kept',
        isDedicated: record.uid !== null,
      },
      imageOf: ({ image }, signal) => this.#image(engine, spec.runId, image, signal),
    });
  }

  /** The first command waits for all services; a sandbox that is let go lets go of its services. */
  async #withServices(
    sandbox: ChannelSandbox,
    services: SandboxServices | null,
    signal: AbortSignal,
  ): Promise<Sandbox> {
    if (services === null) return sandbox;
    const { id } = sandbox.ref;
    this.#services.set(id, services);
    void sandbox.channel.closed.then(async () => {
      await services.close();
      if (this.#services.get(id) === services) this.#services.delete(id);
    });
    try {
      await services.start((port) => sandbox.channel.connect(port), signal);
      return sandbox;
    } catch (error) {
      await sandbox.detach();
      throw error;
    }
  }

  #ecosystemsOf(engine: Engine, image: SandboxImage, tools: string): Promise<EcosystemSource> {
    const identity = identityOn(engine);
    return this.#registriesOf({
      engine,
      image,
      tools,
      installation: this.#installation,
      stateDirectory: this.#options.stateDirectory,
      user: { ...userOf(identity, null), keepsUser: identity.kind === 'kept' },
    });
  }

  /** For a sandbox of an earlier worker: its image is asked when a policy wants to know. */
  #laterEcosystems(spec: SandboxSpec): EcosystemSource {
    const ask = async (): Promise<EcosystemSource> => {
      const soon = AbortSignal.timeout(attachMs);
      const engine = await this.#findEngine(soon);
      const image = await this.#image(engine, spec.runId, this.#imageFor(spec.profile), soon);
      return await this.#ecosystemsOf(engine, image, await this.#tools());
    };
    return { facts: async (ecosystem) => (await ask()).facts(ecosystem) };
  }

  #place(id: string): Place {
    return new Place(this.#options.stateDirectory, id);
  }

  #containerName(id: string): string {
    return `berth-${this.#installation}-${id}`;
  }

  #makeStateDirectory(): void {
    mkdirSync(join(this.#options.stateDirectory, 'sandboxes'), { recursive: true, mode: 0o711 });
  }

  #tools(): Promise<string> {
    this.#toolsMade ??= toolsDirectory(
      this.#options.toolsDirectory ?? join(this.#options.stateDirectory, 'tools'),
    ).catch((error: unknown) => {
      this.#toolsMade = null;
      throw new BerthError('SANDBOX_UNAVAILABLE', `The tools for images cannot be made: ${String(error)}`, {
        cause: error,
      });
    });
    return this.#toolsMade;
  }

  /** @throws BerthError `SANDBOX_UNSUPPORTED` */
  #imageFor(profile: SandboxSpec['profile']): string {
    const who = profile === null ? 'A project without a profile' : `The profile ${profile.name}`;
    assertServices(who, profile?.services ?? []);
    const name = profile?.image ?? this.#options.defaultImage;
    if (name !== undefined) return name;
    throw new BerthError(
      'SANDBOX_UNSUPPORTED',
      `${who} names no image for the driver container: set \`image\` in the sandbox profile.`,
    );
  }

  async #image(engine: Engine, runId: string, name: string, signal: AbortSignal): Promise<SandboxImage> {
    const pin = await pinnedImage(this.#options.stateDirectory, runId, name, () =>
      resolveImage(engine, name, signal),
    );
    const known = this.#images.get(pin.id) ?? describeImage(engine, pin);
    this.#images.set(pin.id, known);
    void known.catch(() => this.#images.delete(pin.id));
    return await orAbort(known, signal);
  }

  #findEngine(signal?: AbortSignal): Promise<Engine> {
    const found = this.#engine ?? findEngine(this.#options.env);
    this.#engine = found;
    void found.catch(() => {
      if (this.#engine === found) this.#engine = null;
    });
    return signal === undefined ? found : orAbort(found, signal);
  }

  #findDiskImages(): Promise<string | null> {
    if (this.#options.watchesDisk === true) return Promise.resolve('it is to be watched');
    if (process.getuid?.() !== 0) return Promise.resolve('only root can mount them');
    this.#noDiskImages ??= diskImagesWork(this.#options.stateDirectory);
    return this.#noDiskImages;
  }
}
