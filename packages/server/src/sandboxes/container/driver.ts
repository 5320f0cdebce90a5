import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { Sandbox, SandboxDriver, SandboxRef, SandboxSpec } from '../../domain/ports/sandbox.ts';
import { registryEnv, type EcosystemSource, type EgressDoorOptions } from '../../egress/index.ts';
import { type Authorities, sandboxAuthorities } from '../local/authorities.ts';
import { assignPlace, attachToPlace, connectToPlace, type LocalLink } from '../local/connect.ts';
import { diskImagesWork } from '../local/disk-image.ts';
import { sandboxUidsExist } from '../local/identity.ts';
import { workerEcosystems } from '../local/ecosystems.ts';
import { hardLimits } from '../local/limits.ts';
import { listPlaces, Place } from '../local/place.ts';
import { toolsDirectory } from '../tools/index.ts';
import { endContainerSandbox } from './end.ts';
import { engineSentence, findEngine, oldestVersion, orAbort, type Engine } from './engine.ts';
import { identityOn } from './identity.ts';
import { describeImage, resolveImage, type SandboxImage } from './image.ts';
import { pinnedImage } from './pins.ts';
import { labels } from './plan.ts';
import { probeEngine } from './probe.ts';
import { startContainer } from './start.ts';

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

/** Sandboxes in containers of Docker or Podman on this machine; sandboxd outside of them. */
export class ContainerDriver implements SandboxDriver {
  readonly name = 'container';
  readonly #options: ContainerOptions;
  readonly #ecosystems: EcosystemSource;
  readonly #authorities: Authorities;
  readonly #installation: string;
  readonly #images = new Map<string, Promise<SandboxImage>>();
  #engine: Promise<Engine> | null = null;
  #noDiskImages: Promise<string | null> | null = null;
  #toolsMade: Promise<string> | null = null;

  constructor(options: ContainerOptions) {
    this.#options = options;
    this.#ecosystems = options.ecosystems ?? workerEcosystems(options.clock);
    this.#authorities = sandboxAuthorities(options.authoritySeed, options.clock);
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

  /** An image has to be named; services need more than one container. */
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
    try {
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
        ecosystems: this.#ecosystems,
        authority: this.#authorities(spec.id),
        idleMinutes: this.#options.idleMinutes ?? defaultIdleMinutes,
        createdMs: this.#options.clock.nowMs(),
        signal,
      });
      return await connectToPlace(this.#link, place, record, spec, signal, true);
    } catch (error) {
      await this.destroy(spec.id);
      signal.throwIfAborted();
      if (error instanceof BerthError) throw error;
      throw new BerthError('SANDBOX_UNAVAILABLE', `The sandbox could not be made: ${engineSentence(error)}`, {
        cause: error,
      });
    }
  }

  attach(ref: SandboxRef, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox | null> {
    return attachToPlace(this.#link, this.#place(ref.id), ref, spec, signal);
  }

  /** Only one of the image that the run has pinned, or would pin now. */
  async assign(idle: SandboxRef, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox | null> {
    const place = this.#place(idle.id);
    const engine = await this.#findEngine(signal);
    const image = await this.#image(engine, spec.runId, this.#imageFor(spec.profile), signal);
    if (place.read()?.container?.image !== (image.digest ?? image.id)) return null;
    return await assignPlace(this.#link, place, idle, spec, signal);
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
    return [...places, ...orphans];
  }

  async destroy(id: string): Promise<void> {
    const place = this.#place(id);
    const engine = await this.#findEngine().catch(() => null);
    await endContainerSandbox(place, this.#containerName(id), engine?.socketPath ?? null);
  }

  get #link(): LocalLink {
    return {
      driver: this.name,
      clock: this.#options.clock,
      ecosystems: this.#ecosystems,
      authorities: this.#authorities,
      ...(this.#options.egress === undefined ? {} : { egress: this.#options.egress }),
      destroy: (id) => this.destroy(id),
    };
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
    if (profile !== null && profile.services.length > 0)
      throw new BerthError(
        'SANDBOX_UNSUPPORTED',
        `${who} asks for services, which the driver container does not have.`,
      );
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
