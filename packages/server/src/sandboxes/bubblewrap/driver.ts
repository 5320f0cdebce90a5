import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { Sandbox, SandboxDriver, SandboxRef, SandboxSpec } from '../../domain/ports/sandbox.ts';
import { registryEnv, type EcosystemSource, type EgressDoorOptions } from '../../egress/index.ts';
import { type Authorities, sandboxAuthorities } from '../local/authorities.ts';
import { assignPlace, attachToPlace, connectToPlace, type LocalLink } from '../local/connect.ts';
import { workerEcosystems } from '../local/ecosystems.ts';
import { endSandbox } from '../local/end.ts';
import { listPlaces, Place } from '../local/place.ts';
import { inspectHost, type Host } from './host.ts';
import { toolchainFingerprint } from './fingerprint.ts';
import { findToolchains } from './toolchains.ts';
import { probeHost } from './probe.ts';
import { startSandbox } from './start.ts';

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

/** Sandboxes of one machine in bubblewrap: all namespaces unshared, sandboxd outside of them. */
export class BubblewrapDriver implements SandboxDriver {
  readonly name = 'bubblewrap';
  readonly #options: BubblewrapOptions;
  readonly #ecosystems: EcosystemSource;
  readonly #authorities: Authorities;
  #host: Promise<Host> | null = null;

  constructor(options: BubblewrapOptions) {
    this.#options = options;
    this.#ecosystems = options.ecosystems ?? workerEcosystems(options.clock);
    this.#authorities = sandboxAuthorities(options.authoritySeed, options.clock);
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

  /** Images, runtimes and services need an engine. */
  assertSuits(profile: SandboxSpec['profile']): void {
    refuseWhatNeedsAnEngine(profile);
  }

  async create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    signal.throwIfAborted();
    const host = await this.#inspect();
    refuseWhatCannotBeHeld(host);
    this.assertSuits(spec.profile);
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
        authority: this.#authorities(spec.id),
        pathVariable: this.#options.pathVariable ?? process.env['PATH'] ?? '',
        idleMinutes: this.#options.idleMinutes ?? defaultIdleMinutes,
        createdMs: this.#options.clock.nowMs(),
        signal,
      });
      return await connectToPlace(this.#link, place, record, spec, signal, true);
    } catch (error) {
      await endSandbox(place);
      signal.throwIfAborted();
      if (error instanceof BerthError) throw error;
      throw new BerthError('SANDBOX_UNAVAILABLE', `The sandbox could not be made: ${String(error)}`, {
        cause: error,
      });
    }
  }

  attach(ref: SandboxRef, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox | null> {
    return attachToPlace(this.#link, new Place(this.#options.stateDirectory, ref.id), ref, spec, signal);
  }

  assign(idle: SandboxRef, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox | null> {
    return assignPlace(this.#link, new Place(this.#options.stateDirectory, idle.id), idle, spec, signal);
  }

  list(): ReturnType<SandboxDriver['list']> {
    return Promise.resolve(listPlaces(this.#options.stateDirectory));
  }

  fingerprint(): Promise<string> {
    return toolchainFingerprint(findToolchains(this.#options.pathVariable ?? process.env['PATH'] ?? ''));
  }

  async destroy(id: string): Promise<void> {
    await endSandbox(new Place(this.#options.stateDirectory, id));
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
function refuseWhatNeedsAnEngine(profile: SandboxSpec['profile']): void {
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
