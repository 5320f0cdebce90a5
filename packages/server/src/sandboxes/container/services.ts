import type { Duplex } from 'node:stream';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { ServiceConfig } from '../../domain/config/sandboxes.ts';
import { durationMs } from '../../domain/config/text.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { SandboxNotice, SandboxSpec } from '../../domain/ports/sandbox.ts';
import { hardLimits, ownProcesses } from '../local/limits.ts';
import type { Place } from '../local/place.ts';
import { removeContainer } from './end.ts';
import { engineSentence, engineStatus, orAbort, type Engine } from './engine.ts';
import { groupOf, passwdOf } from './etc.ts';
import type { SandboxImage } from './image.ts';
import { labels, most } from './plan.ts';
import { serviceLog } from './service-log.ts';
import { serviceOptions, serviceProcesses } from './service-plan.ts';

export interface ServicesOptions {
  readonly spec: SandboxSpec;
  readonly place: Place;
  readonly engine: Engine;
  readonly installation: string;
  /** The sandbox's own container. */
  readonly containerName: string;
  readonly seccompFile: string | null;
  readonly user: {
    readonly uid: number;
    readonly gid: number;
    readonly keepsUser: boolean;
    /** Nobody else on this machine has the uid. */
    readonly isDedicated: boolean;
  };
  /** Images by service name; pinned for the run. */
  readonly imageOf: (service: ServiceConfig, signal: AbortSignal) => Promise<SandboxImage>;
}

/** Connects to a port of the sandbox's loopback; rejects while nothing listens there. */
export type ConnectInside = (port: number) => Promise<Duplex>;

const lookAgainMs = 100;
const askAgainMs = 1_000;

/** The services beside one sandbox: starts them, waits for them, and starts each once more when it ends. */
export class SandboxServices {
  readonly #options: ServicesOptions;
  readonly #listeners = new Set<(notice: SandboxNotice) => void>();
  readonly #early: SandboxNotice[] = [];
  readonly #closing = new AbortController();
  readonly #startsLeft = new Map<string, number>();
  /** Everything that makes or removes containers, one after the other. */
  #work: Promise<unknown> = Promise.resolve();
  #connect: ConnectInside | null = null;
  #startedAt = '';

  constructor(options: ServicesOptions) {
    this.#options = options;
  }

  onNotice(listener: (notice: SandboxNotice) => void): void {
    this.#listeners.add(listener);
    for (const notice of this.#early.splice(0)) listener(notice);
  }

  /**
   * Starts what does not run yet beside the sandbox as it is now, and waits until all of it accepts connections.
   * @throws BerthError `SANDBOX_SERVICE_NOT_READY`
   */
  async start(connect: ConnectInside, signal: AbortSignal): Promise<void> {
    this.#connect = connect;
    await this.#inTurn(async () => {
      this.#startedAt = await this.#parentStartedAt();
      await Promise.all(
        this.#services.map(async (service) => {
          const isThere = await this.#runsBeside(service);
          await this.#startOne(service, AbortSignal.any([signal, this.#closing.signal]), isThere);
        }),
      );
    });
  }

  /** The inside came up: when that was a new container, its network is new, and so are the services. */
  renew(): void {
    if (this.#connect === null) return;
    void this.#inTurn(async () => {
      const startedAt = await this.#parentStartedAt();
      if (startedAt === this.#startedAt) return;
      this.#startedAt = startedAt;
      await Promise.all(
        this.#services.map((service) =>
          this.#startOne(service, this.#closing.signal, false).catch((error: unknown) => this.#failed(error)),
        ),
      );
    }).catch(() => undefined);
  }

  /** Lets go of them: whoever is next finds them by their labels. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the sandbox was let go'));
    await this.#work.catch(() => undefined);
  }

  get #services(): readonly ServiceConfig[] {
    return this.#options.spec.profile?.services ?? [];
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#work.then(async () => {
      this.#closing.signal.throwIfAborted();
      return await work();
    });
    this.#work = next.catch(() => undefined);
    return next;
  }

  #nameOf(service: ServiceConfig): string {
    return `${this.#options.containerName}-${service.name}`;
  }

  #container(service: ServiceConfig): Docker.Container {
    return this.#options.engine.docker.getContainer(this.#nameOf(service));
  }

  async #parentStartedAt(): Promise<string> {
    const { engine, containerName } = this.#options;
    const { State } = await engine.docker.getContainer(containerName).inspect();
    return State.StartedAt;
  }

  async #runsBeside(service: ServiceConfig): Promise<boolean> {
    try {
      const { State, Config } = await this.#container(service).inspect();
      return State.Running && Config.Labels[labels.beside] === this.#startedAt;
    } catch (error) {
      if (engineStatus(error) === 404) return false;
      throw error;
    }
  }

  async #startOne(service: ServiceConfig, signal: AbortSignal, isThere: boolean): Promise<void> {
    if (!isThere) await this.#make(service, signal);
    await this.#ready(service, signal);
    void this.#watch(service);
  }

  async #make(service: ServiceConfig, signal: AbortSignal): Promise<void> {
    const { engine, spec, place, user } = this.#options;
    const image = await this.#options.imageOf(service, signal);
    signal.throwIfAborted();
    await removeContainer(engine.docker, this.#nameOf(service));
    const list = (name: string, text: string): string => {
      const file = place.path('etc', `${name}-of-${service.name}`);
      writeFileSync(file, text, { mode: 0o644 });
      return file;
    };
    const options = serviceOptions({
      service,
      image,
      engine,
      user,
      installation: this.#options.installation,
      sandboxId: spec.id,
      runId: spec.runId,
      parent: { name: this.#options.containerName, startedAt: this.#startedAt },
      openFiles: spec.limits.openFiles,
      processesOfUser: user.isDedicated
        ? spec.limits.processes + ownProcesses + this.#services.length * serviceProcesses
        : most,
      hard: hardLimits(readFileSync('/proc/self/limits', 'utf8')),
      runtime: spec.profile?.runtime,
      seccompFile: this.#options.seccompFile,
      passwd: list('passwd', passwdOf(image.passwd, user)),
      group: list('group', groupOf(image.group, user.gid)),
    });
    try {
      // Waited for also after an abort: a container that comes to be later would be nobody's.
      const container = await engine.docker.createContainer({ name: this.#nameOf(service), ...options });
      signal.throwIfAborted();
      await container.start();
    } catch (error) {
      signal.throwIfAborted();
      throw await this.#notReady(service, `the engine refused it: ${engineSentence(error)}`);
    }
  }

  async #ready(service: ServiceConfig, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + durationMs(service.readyWithin);
    for (;;) {
      signal.throwIfAborted();
      const connected = await orAbort(this.#connect!(service.port), signal).then(
        (stream) => {
          stream.on('error', () => undefined).destroy();
          return true;
        },
        () => false,
      );
      signal.throwIfAborted();
      const ended = await this.#endOf(service);
      if (ended !== null) throw await this.#notReady(service, ended);
      if (connected) return;
      if (performance.now() > deadline)
        throw await this.#notReady(
          service,
          `nothing accepted on port ${service.port} within ${service.readyWithin}`,
        );
      await sleep(lookAgainMs, undefined, { signal });
    }
  }

  /** How it ended, or null while it runs. */
  async #endOf(service: ServiceConfig): Promise<string | null> {
    try {
      const { State } = await this.#container(service).inspect();
      if (State.Running) return null;
      return State.OOMKilled
        ? `it used more than ${service.memoryMiB} MiB`
        : `it ended with ${State.ExitCode}`;
    } catch (error) {
      if (engineStatus(error) === 404) return 'its container was removed';
      throw error;
    }
  }

  async #notReady(service: ServiceConfig, why: string): Promise<BerthError> {
    const log = await this.#log(service);
    return new BerthError(
      'SANDBOX_SERVICE_NOT_READY',
      `The service ${service.name} did not get ready: ${why}.${log === '' ? '' : ` It said: ${log}`}`,
      { details: { service: service.name, image: service.image } },
    );
  }

  #log(service: ServiceConfig): Promise<string> {
    return serviceLog(this.#container(service), Object.values(this.#options.spec.env));
  }

  /** Waits for its end, says it, and starts it once more. */
  async #watch(service: ServiceConfig): Promise<void> {
    const startedAt = this.#startedAt;
    const { signal } = this.#closing;
    const container = this.#container(service);
    await orAbort(container.wait(), signal).catch(() => undefined);
    if (signal.aborted) return;
    await this.#inTurn(async () => {
      // Replaced meanwhile, with the sandbox: that one is watched by itself.
      if (startedAt !== this.#startedAt || (await this.#parentStartedAt()) !== startedAt) return;
      const why = await this.#endOf(service);
      if (why === null) {
        // The engine did not answer to the end; it may be busy.
        await sleep(askAgainMs, undefined, { signal });
        void this.#watch(service);
        return;
      }
      const left = this.#startsLeft.get(service.name) ?? 1;
      this.#startsLeft.set(service.name, left - 1);
      const log = await this.#log(service);
      const then = left > 0 ? 'it is started again with empty data' : 'it is not started again';
      this.#say({
        code: 'SANDBOX_SERVICE_ENDED',
        sentence: `The service ${service.name} ended: ${why}; ${then}.${log === '' ? '' : ` It said: ${log}`}`,
      });
      if (left > 0) await this.#startOne(service, signal, false);
    }).catch((error: unknown) => this.#failed(error));
  }

  #failed(error: unknown): void {
    if (this.#closing.signal.aborted) return;
    this.#say(
      error instanceof BerthError
        ? { code: error.code, sentence: error.message }
        : {
            code: 'SANDBOX_SERVICE_NOT_READY',
            sentence: `A service was not started: ${engineSentence(error)}.`,
          },
    );
  }

  #say(notice: SandboxNotice): void {
    if (this.#listeners.size === 0) this.#early.push(notice);
    for (const listener of this.#listeners) listener(notice);
  }
}
