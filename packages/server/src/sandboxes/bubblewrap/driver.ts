import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectChannel } from '../../channel/connect.ts';
import type { EgressDecision } from '../../domain/egress.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { Sandbox, SandboxDriver, SandboxRef, SandboxSpec } from '../../domain/ports/sandbox.ts';
import {
  answersDirectory,
  askTool,
  authoritySeedBytes,
  createEcosystems,
  createEgressAuthority,
  createEgressDoor,
  fetchText,
  registryEnv,
  rememberAnswers,
  type EcosystemSource,
  type EgressDoorOptions,
} from '../../egress/index.ts';
import { ChannelSandbox } from '../channel-sandbox.ts';
import { endSandbox } from './end.ts';
import { inspectHost, type Host } from './host.ts';
import { Place, placeIds, type PlaceRecord } from './place.ts';
import { probeHost } from './probe.ts';
import { isAlive, type ProcessName } from './processes.ts';
import { rootDirectory } from './identity.ts';
import { startSandbox, workerSocket } from './start.ts';

export interface BubblewrapOptions {
  /** From `defaultStateDirectory`, unless a test has its own. */
  readonly stateDirectory: string;
  readonly clock: Clock;
  /** Where the worker's tools say their registries are; asked of them when absent. */
  readonly ecosystems?: EcosystemSource;
  /**
   * The installation's secret from which the authorities of its sandboxes follow. Absent: one of this process; inspected
   * connections of a sandbox that another process takes over then fail.
   */
  readonly authoritySeed?: Uint8Array;
  /** Settings of the way out that are not the policy's. */
  readonly egress?: Pick<EgressDoorOptions, 'refusedRanges' | 'limits' | 'resolve' | 'proxyEnv' | 'trusted'>;
  /** PATH to take tool chains from; the worker's own by default. */
  readonly pathVariable?: string;
  /** A sandbox that no worker was connected to for so long ends itself. */
  readonly idleMinutes?: number;
  /** Watches the disk even where it could be held: what a machine without loop devices does. */
  readonly watchesDisk?: boolean;
}

const defaultIdleMinutes = 24 * 60;
/** From the start of sandboxd to a runner that answers; 80 ms are usual. */
const runnerUpMs = 15_000;

/**
 * Where the sandboxes of one data directory live. Root's must be reachable by the uids of sandboxes, and
 * `$BERTH_HOME` may lie in `/root`; a directory for each home, so that no installation sees, or tidies away,
 * another's sandboxes.
 * @param berthHome Absolute path of `$BERTH_HOME`.
 */
export function defaultStateDirectory(berthHome: string): string {
  if (process.getuid?.() !== 0) return join(berthHome, 'sandboxd');
  const key = createHash('sha256').update(berthHome).digest('hex').slice(0, 12);
  return join(rootDirectory, key);
}

/** Sandboxes of one machine in bubblewrap: all namespaces unshared, sandboxd outside of them. */
export class BubblewrapDriver implements SandboxDriver {
  readonly name = 'bubblewrap';
  readonly #options: BubblewrapOptions;
  readonly #ecosystems: EcosystemSource;
  readonly #authoritySeed: Uint8Array;
  #host: Promise<Host> | null = null;

  constructor(options: BubblewrapOptions) {
    this.#options = options;
    const { env } = process;
    const memory = { directory: answersDirectory(env), clock: options.clock, env };
    this.#ecosystems =
      options.ecosystems ?? createEcosystems({ fetchText, ask: rememberAnswers(askTool, memory) });
    this.#authoritySeed = options.authoritySeed ?? randomBytes(authoritySeedBytes);
  }

  async probe(signal?: AbortSignal): ReturnType<SandboxDriver['probe']> {
    // Asking the tools takes seconds (pip) unless they were asked lately; whoever probes will soon want a sandbox.
    void registryEnv(this.#ecosystems);
    return probeHost(
      await inspectHost(this.#options.stateDirectory, signal),
      this.#options.stateDirectory,
      signal,
    );
  }

  async create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    signal.throwIfAborted();
    const host = await this.#inspect();
    refuseWhatCannotBeHeld(host);
    refuseWhatNeedsAnEngine(spec);
    const place = new Place(this.#options.stateDirectory, spec.id);
    if (place.createdMs() !== null)
      throw new BerthError('SANDBOX_UNAVAILABLE', `There already is a sandbox ${spec.id}.`);
    try {
      const record = await startSandbox({
        spec,
        place,
        host,
        stateDirectory: this.#options.stateDirectory,
        ecosystems: this.#ecosystems,
        authority: this.#authorityOf(spec.id),
        pathVariable: this.#options.pathVariable ?? process.env['PATH'] ?? '',
        idleMinutes: this.#options.idleMinutes ?? defaultIdleMinutes,
        createdMs: this.#options.clock.nowMs(),
        signal,
      });
      return await this.#connect(place, record, spec, signal, true);
    } catch (error) {
      await endSandbox(place);
      signal.throwIfAborted();
      if (error instanceof BerthError) throw error;
      throw new BerthError('SANDBOX_UNAVAILABLE', `The sandbox could not be made: ${String(error)}`, {
        cause: error,
      });
    }
  }

  async attach(ref: SandboxRef, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox | null> {
    signal.throwIfAborted();
    const place = new Place(this.#options.stateDirectory, ref.id);
    const record = place.read();
    if (
      record === null ||
      record.sandboxd === null ||
      record.bootId !== ref.bootId ||
      !isAlive(record.sandboxd)
    )
      return null;
    try {
      return await this.#connect(place, record, spec, signal, false);
    } catch (error) {
      // It may have ended between the look and the call; a killed process takes a moment to be gone.
      const unreachable = error instanceof BerthError && error.code === 'SANDBOX_UNREACHABLE';
      if (unreachable && (await endsSoon(record.sandboxd))) return null;
      throw error;
    }
  }

  async list(): ReturnType<SandboxDriver['list']> {
    const found: Array<{ id: string; runId: string; createdMs: number }> = [];
    for (const id of placeIds(this.#options.stateDirectory)) {
      const place = new Place(this.#options.stateDirectory, id);
      const record = place.read();
      const createdMs = record?.createdMs ?? place.createdMs();
      if (createdMs !== null) found.push({ id, runId: record?.runId ?? '', createdMs });
    }
    return Promise.resolve(found);
  }

  async destroy(id: string): Promise<void> {
    await endSandbox(new Place(this.#options.stateDirectory, id));
  }

  #authorityOf(id: string): ReturnType<typeof createEgressAuthority> {
    return createEgressAuthority(this.#authoritySeed, id, this.#options.clock);
  }

  #inspect(): Promise<Host> {
    this.#host ??= inspectHost(this.#options.stateDirectory).then(
      (host) =>
        this.#options.watchesDisk === true ? { ...host, noDiskImages: 'it is to be watched' } : host,
      (error: unknown) => {
        this.#host = null;
        throw error;
      },
    );
    return this.#host;
  }

  async #connect(
    place: Place,
    record: PlaceRecord,
    spec: SandboxSpec,
    signal: AbortSignal,
    waitForRunner: boolean,
  ): Promise<Sandbox> {
    const listeners = new Set<(decision: EgressDecision) => void>();
    const door = createEgressDoor({
      ...this.#options.egress,
      policy: spec.egress,
      authority: this.#authorityOf(spec.id),
      ...(spec.credentials === undefined ? {} : { credentials: spec.credentials }),
      ecosystems: this.#ecosystems,
      clock: this.#options.clock,
      onDecision: (decision) => {
        for (const listener of listeners) listener(decision);
      },
    });
    const up = Promise.withResolvers<void>();
    const channel = await connectChannel({
      socketPath: workerSocket(record),
      sandboxId: spec.id,
      epoch: spec.epoch,
      clock: this.#options.clock,
      signal,
      onEgressStream: (stream: Duplex) => door.accept(stream),
      onNotice: (notice) => {
        if (notice.t === 'runner-up') up.resolve();
      },
    });
    void channel.closed.then(() => door.close());
    if (waitForRunner)
      await runnerUp(up.promise, place, signal).catch((error: unknown) => {
        channel.close('the runner did not start');
        throw error;
      });
    return new ChannelSandbox({
      channel,
      ref: { id: spec.id, driver: 'bubblewrap', bootId: channel.hello.bootId, address: place.directory },
      diskLimitBytes: spec.limits.diskBytes,
      destroy: () => this.destroy(spec.id),
      setEgress: (policy) => door.setPolicy(policy),
      onEgress: (listener) => listeners.add(listener),
    });
  }
}

function refuseWhatCannotBeHeld(host: Host): void {
  if (host.bubblewrapVersion === null) {
    throw new BerthError('SANDBOX_UNAVAILABLE', 'The program bwrap (bubblewrap) is not installed.');
  }
  if (host.filter === null) {
    throw new BerthError(
      'SANDBOX_UNAVAILABLE',
      `There is no system call filter for the processor ${process.arch}.`,
    );
  }
  if (host.isRoot && !host.hasUids) {
    throw new BerthError(
      'SANDBOX_UNAVAILABLE',
      'This user namespace has no user ids 64000 to 64999 for sandboxes.',
    );
  }
}

/** Images and services need an engine; a profile that asks for them gets no sandbox without. */
function refuseWhatNeedsAnEngine({ profile }: SandboxSpec): void {
  if (profile === null) return;
  const wanted = [
    ...(profile.image === undefined ? [] : ['an image']),
    ...(profile.runtime === undefined ? [] : ['a runtime']),
    ...(profile.services.length === 0 ? [] : ['services']),
  ];
  if (wanted.length === 0) return;
  throw new BerthError(
    'SANDBOX_UNSUPPORTED',
    `The profile ${profile.name} asks for ${wanted.join(' and ')}, which the driver bubblewrap does not have.`,
  );
}

async function runnerUp(up: Promise<void>, place: Place, signal: AbortSignal): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    let said = '';
    try {
      said = readFileSync(place.path('sandboxd.log'), 'utf8').slice(-2000).trim();
    } catch {
      // Then there is nothing to add.
    }
    late.reject(
      new BerthError('SANDBOX_UNAVAILABLE', 'The inside of the sandbox did not start.', {
        details: { said },
      }),
    );
  }, runnerUpMs);
  const stop = (): void => late.reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    await Promise.race([up, late.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

const endingMs = 1_000;

async function endsSoon(name: ProcessName): Promise<boolean> {
  for (let leftMs = endingMs; leftMs > 0; leftMs -= 20) {
    if (!isAlive(name)) return true;
    await sleep(20);
  }
  return false;
}
