import type { SandboxProfile } from '../../domain/config/sandboxes.ts';
import { asBerthError, BerthError, type ErrorCode } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { SandboxDriver, SandboxLimits } from '../../domain/ports/sandbox.ts';
import { idleRunId, kindOf, type Member, neutralSpec } from './member.ts';
import { idleWanted } from './sizing.ts';
import { Stock } from './stock.ts';

/** Sandboxes of one profile that are to be kept ready. */
export interface PoolWish {
  readonly profile: SandboxProfile;
  readonly limits: SandboxLimits;
}

/** What a pool is to hold, as it is now. */
export interface PoolOrder {
  wishes(): readonly PoolWish[];
  /** The worker's id; null while it holds no lease: then nothing is kept. */
  owner(): string | null;
  newSandboxId(): string;
  /** Calls back when the wishes may have changed. Returns the way to stop. */
  onChange?(listener: () => void): () => void;
}

export interface PoolProblem {
  readonly profile: string;
  readonly code: string;
  readonly sentence: string;
  readonly next: string;
}

export interface PoolState {
  readonly idle: number;
  readonly making: number;
  /** What kept the last attempt of a profile from succeeding. */
  readonly problems: readonly PoolProblem[];
}

/** How often it looks, when nothing tells it to. */
const lookEveryMs = 5_000;
/** Made at once: a start keeps a core busy for a tenth of a second and more, and runs have work to do. */
const atOnce = 2;
/** After a claim the next one is made a little later, while others are ready: the run's first commands go before. */
const afterClaimMs = 500;
const firstBackOffMs = 1_000;
const longestBackOffMs = 60_000;
/** Runs come in while one asked within this. */
const demandWindowMs = 10 * 60_000;
/** Those that asked within this count as asking at once: they come faster than others are made. */
const burstMs = 10_000;
/** How long a refusal for want of room is believed. */
const pressureMs = 30_000;
/** What a sandbox is made with (registries, authorities, tool chains of the host) may be another by then. */
const longestIdleMs = 60 * 60_000;

/** There is no room, here or on the cluster. */
export const roomCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'SANDBOX_CAPACITY',
  'SANDBOX_QUOTA',
  'SANDBOX_UNSCHEDULABLE',
]);

interface BackOff {
  readonly ms: number;
  readonly untilMs: number;
  readonly problem: PoolProblem;
}

/** Keeps the stock at the size that the profiles ask for: in the background, a few at once, with patience after failures. */
export class PoolFiller {
  readonly stock: Stock;
  readonly #driver: SandboxDriver;
  readonly #choose: (profile: SandboxProfile) => Promise<SandboxDriver>;
  readonly #order: PoolOrder;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  readonly #stopFollowing: (() => void) | undefined;
  readonly #running: Promise<void>;
  /** When each kind was asked for, monotonic. */
  readonly #demand = new Map<string, number[]>();
  readonly #backOff = new Map<string, BackOff>();
  #waiting = 0;
  #roomlessUntilMs = -Infinity;
  /** How many there was room for when there was none for more. */
  #room = 0;
  #made = 0;
  #claimedMs = -Infinity;
  #wake: () => void = () => undefined;

  constructor(
    driver: SandboxDriver,
    choose: (profile: SandboxProfile) => Promise<SandboxDriver>,
    order: PoolOrder,
    clock: Clock,
  ) {
    this.#driver = driver;
    this.#choose = choose;
    this.#order = order;
    this.#clock = clock;
    this.stock = new Stock(clock, () => this.#wake());
    this.#stopFollowing = order.onChange?.(() => this.#wake());
    this.#running = this.#run();
  }

  state(): PoolState {
    const wished = new Set(this.#wishes().map(({ kind }) => kind));
    return {
      idle: this.stock.idle.length,
      making: this.stock.making(),
      problems: [...this.#backOff].filter(([kind]) => wished.has(kind)).map(([, { problem }]) => problem),
    };
  }

  /** A run asks for a sandbox of this kind. False: none of it is kept. */
  asked(kind: string): boolean {
    if (!this.#wishes().some((wish) => wish.kind === kind)) return false;
    const nowMs = this.#clock.monotonicMs();
    const before = (this.#demand.get(kind) ?? []).filter((atMs) => atMs > nowMs - demandWindowMs);
    this.#demand.set(kind, [...before, nowMs]);
    this.#wake();
    return true;
  }

  /** One of this worker's that fits and is not too old. It is nobody else's from now on. */
  take(fits: (member: Member) => boolean): Member | null {
    const owner = this.#order.owner();
    const member = this.stock.take((one) => one.owner === owner && !this.#isOld(one) && fits(one));
    if (member === null) return null;
    this.#claimedMs = this.#clock.monotonicMs();
    this.#wake();
    return member;
  }

  /** For a run that found no room: nothing is made for a while, and an idle one goes. False: there is none left. */
  async makeRoom(): Promise<boolean> {
    this.#noRoom(this.#size);
    this.#waiting += 1;
    try {
      return await this.stock.evictOne();
    } finally {
      this.#waiting -= 1;
      this.#noRoom(this.#size);
    }
  }

  /** Ends every idle sandbox, and those on their way. */
  async close(): Promise<void> {
    this.#closing.abort(new BerthError('WORKER_STOPPING'));
    this.#stopFollowing?.();
    this.#wake();
    await this.#running;
    await this.stock.clear();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await this.#look();
      const pause = new AbortController();
      const end = (): void => pause.abort();
      signal.addEventListener('abort', end, { once: true });
      if (!signal.aborted)
        await Promise.race([woken, this.#clock.sleep(this.#restMs(), pause.signal).catch(() => undefined)]);
      signal.removeEventListener('abort', end);
      pause.abort();
    }
  }

  /** Until the next look: earlier where somebody's patience ends before, or a claim has settled. */
  #restMs(): number {
    const nowMs = this.#clock.monotonicMs();
    const ends = [...this.#backOff.values()].map(({ untilMs }) => untilMs - nowMs).filter((ms) => ms > 0);
    const settlesMs = this.#claimedMs + afterClaimMs - nowMs;
    return Math.min(lookEveryMs, ...ends, ...(settlesMs > 0 ? [settlesMs] : []));
  }

  async #look(): Promise<void> {
    const wishes = this.#wishes();
    const owner = this.#order.owner();
    const kinds = new Set(wishes.map(({ kind }) => kind));
    for (const kind of this.#backOff.keys()) if (!kinds.has(kind)) this.#backOff.delete(kind);
    await this.stock.drop((one) => one.owner !== owner || !kinds.has(one.kind) || this.#isOld(one));
    if (owner === null) return;
    for (const wish of wishes) {
      const { kind } = wish;
      const wanted = idleWanted({
        ...wish.profile.pool,
        isAskedFor: this.#recent(kind, demandWindowMs) > 0,
        recentDemand: this.#recent(kind, burstMs),
        waitingRuns: this.#waiting,
        room: this.#roomFor(kind),
      });
      const idle = this.stock.idle.filter((one) => one.kind === kind);
      const surplus = new Set(idle.slice(0, Math.max(0, idle.length - wanted)));
      await this.stock.drop((one) => surplus.has(one));
      const isSettling = this.#clock.monotonicMs() - this.#claimedMs < afterClaimMs;
      if (isSettling && idle.length > surplus.size) continue;
      if ((this.#backOff.get(kind)?.untilMs ?? -Infinity) > this.#clock.monotonicMs()) continue;
      let missing = wanted - (idle.length - surplus.size) - this.stock.making(kind);
      for (; missing > 0 && this.stock.making() < atOnce && !this.#closing.signal.aborted; missing -= 1)
        void this.#make(wish, owner);
    }
  }

  async #make({ profile, limits, kind }: KnownWish, owner: string): Promise<void> {
    const made = await this.stock.make({ kind, owner }, async (signal) => {
      const driver = await this.#choose(profile);
      if (driver.assign === undefined)
        throw new BerthError('SANDBOX_UNSUPPORTED', `The driver ${driver.name} keeps no sandboxes ready.`);
      this.#made += 1;
      const runId = idleRunId(owner, this.#made);
      return await this.#driver.create(
        neutralSpec(this.#order.newSandboxId(), runId, profile, limits),
        signal,
      );
    });
    if (made.kind === 'made') this.#backOff.delete(kind);
    if (made.kind === 'failed') this.#failed(profile.name, kind, made.error);
    this.#wake();
  }

  #failed(profile: string, kind: string, error: BerthError): void {
    // No failure: there is as much as there is room for.
    if (roomCodes.has(error.code)) return this.#noRoom(this.#size);
    const before = this.#backOff.get(kind)?.ms ?? firstBackOffMs / 2;
    const ms = Math.min(before * 2, longestBackOffMs);
    const { code, message, next } = asBerthError(error);
    const problem = { profile, code, sentence: message, next };
    this.#backOff.set(kind, { ms, untilMs: this.#clock.monotonicMs() + ms, problem });
  }

  #noRoom(room: number): void {
    this.#room = room;
    this.#roomlessUntilMs = this.#clock.monotonicMs() + pressureMs;
  }

  /** Of what there is room for, what is left beside the other kinds. */
  #roomFor(kind: string): number | null {
    if (this.#clock.monotonicMs() >= this.#roomlessUntilMs) return null;
    const others =
      this.stock.idle.filter((one) => one.kind !== kind).length +
      this.stock.making() -
      this.stock.making(kind);
    return Math.max(0, this.#room - others);
  }

  #isOld({ madeMs }: Member): boolean {
    return this.#clock.monotonicMs() - madeMs > longestIdleMs;
  }

  /** How many of a kind were asked for within so long. */
  #recent(kind: string, withinMs: number): number {
    const sinceMs = this.#clock.monotonicMs() - withinMs;
    return (this.#demand.get(kind) ?? []).filter((atMs) => atMs > sinceMs).length;
  }

  /** Idle, and on their way. */
  get #size(): number {
    return this.stock.idle.length + this.stock.making();
  }

  #wishes(): KnownWish[] {
    return (
      this.#order
        .wishes()
        // Services start with their sandbox, which then is one run's from the beginning.
        .filter(({ profile }) => profile.pool.max > 0 && profile.services.length === 0)
        .map((wish) => ({ ...wish, kind: kindOf(wish.profile, wish.limits) }))
    );
  }
}

type KnownWish = PoolWish & { readonly kind: string };
