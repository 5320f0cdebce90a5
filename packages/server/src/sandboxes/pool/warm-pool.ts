import type { SandboxProfile } from '../../domain/config/sandboxes.ts';
import type { DoctorCheck } from '../../domain/doctor.ts';
import { asBerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { Sandbox, SandboxDriver, SandboxRef, SandboxSpec } from '../../domain/ports/sandbox.ts';
import { type PoolOrder, PoolFiller, type PoolState, roomCodes } from './filler.ts';
import { kindOf, type Member } from './member.ts';

/** A driver, or several as one: then it tells which of them makes what. */
export interface PooledDriver extends SandboxDriver {
  choose?(profile: SandboxProfile | null): Promise<SandboxDriver>;
}

/**
 * Sandboxes kept ready, as a driver: `create` takes one that fits, or makes one. One from the pool was made without any
 * run in it, serves one run and is never put back; its id is its own (`ref.id`) and not that of the spec. Until it is
 * started, and for profiles without a pool, it is the driver below and no more.
 */
export class WarmPool implements SandboxDriver {
  readonly assertSuits?: (profile: SandboxProfile | null) => void;
  readonly fingerprint?: NonNullable<SandboxDriver['fingerprint']>;
  readonly prove?: NonNullable<SandboxDriver['prove']>;
  readonly #inner: PooledDriver;
  readonly #clock: Clock;
  #filler: PoolFiller | null = null;

  constructor(inner: PooledDriver, clock: Clock) {
    this.#inner = inner;
    this.#clock = clock;
    if (inner.assertSuits !== undefined) this.assertSuits = (profile) => inner.assertSuits?.(profile);
    if (inner.prove !== undefined)
      this.prove = async (profiles, signal) => (await inner.prove?.(profiles, signal)) ?? [];
    if (inner.fingerprint !== undefined)
      this.fingerprint = async (sandbox) => (await inner.fingerprint?.(sandbox)) ?? null;
  }

  get name(): SandboxDriver['name'] {
    return this.#inner.name;
  }

  /** Begins to keep what `order` says. @returns ends it, and every idle sandbox */
  start(order: PoolOrder): () => Promise<void> {
    const filler = new PoolFiller(this.#inner, (profile) => this.#choose(profile), order, this.#clock);
    this.#filler = filler;
    return async () => {
      this.#filler = null;
      await filler.close();
    };
  }

  /** What is ready now and what could not be made. */
  state(): PoolState {
    return this.#filler?.state() ?? { idle: 0, making: 0, problems: [] };
  }

  async probe(signal?: AbortSignal): ReturnType<SandboxDriver['probe']> {
    const probed = await this.#inner.probe(signal);
    const check = poolCheck(this.state());
    return check === null ? probed : { ...probed, checks: [...probed.checks, check] };
  }

  async create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    signal.throwIfAborted();
    const filler = this.#filler;
    if (filler === null) return await this.#inner.create(spec, signal);
    const warm = await this.#claim(filler, spec, signal);
    return warm ?? (await this.#cold(filler, spec, signal));
  }

  attach(ref: SandboxRef, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox | null> {
    return this.#inner.attach(ref, spec, signal);
  }

  list(): ReturnType<SandboxDriver['list']> {
    return this.#inner.list();
  }

  destroy(id: string): Promise<void> {
    return this.#inner.destroy(id);
  }

  /** One that is ready and fits, given to the run; null: there is none. Whatever is wrong with one costs that one only. */
  async #claim(filler: PoolFiller, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox | null> {
    const kind = kindOf(spec.profile, spec.limits);
    if (!filler.asked(kind)) return null;
    const { name } = await this.#choose(spec.profile);
    for (;;) {
      const member = filler.take((one) => one.kind === kind && one.sandbox.ref.driver === name);
      if (member === null) return null;
      const given = await this.#give(member, spec, signal);
      if (given !== null) return given;
      void filler.stock.destroy(member.sandbox);
      signal.throwIfAborted();
    }
  }

  async #give(member: Member, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox | null> {
    const given = await this.#inner.assign?.(member.sandbox.ref, spec, signal).catch(() => null);
    if (given === null || given === undefined) return null;
    // Its first connection ended when the run's epoch came; this lets go of the rest.
    await member.sandbox.detach();
    return given;
  }

  /** A run goes before what only waits: while there is no room, idle ones make it. */
  async #cold(filler: PoolFiller, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    for (;;) {
      try {
        return await this.#inner.create(spec, signal);
      } catch (error) {
        if (!roomCodes.has(asBerthError(error).code)) throw error;
        if (!(await filler.makeRoom())) throw error;
        signal.throwIfAborted();
      }
    }
  }

  async #choose(profile: SandboxProfile | null): Promise<SandboxDriver> {
    return (await this.#inner.choose?.(profile)) ?? this.#inner;
  }
}

/** A line of `berth doctor`; none where nothing is kept ready. */
function poolCheck({ idle, making, problems }: PoolState): DoctorCheck | null {
  const [first] = problems;
  if (first !== undefined)
    return {
      id: 'warm-pool',
      state: 'warn',
      sentence: `No sandbox of the profile ${first.profile} can be kept ready (${first.code}): ${first.sentence}`,
      fix: first.next,
      ms: 0,
    };
  if (idle + making === 0) return null;
  const sentence = `${idle} sandboxes are ready, ${making} are being made.`;
  return { id: 'warm-pool', state: 'pass', sentence, fix: null, ms: 0 };
}
