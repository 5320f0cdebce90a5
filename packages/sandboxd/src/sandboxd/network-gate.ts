import { isIPv6 } from 'node:net';
import { processTime } from '@berth/protocol';
import type { ChannelTime } from '@berth/protocol';
import type { GateTarget, NetworkGate } from '../gate-spec.ts';
import { attempt } from './gate-attempt.ts';
import type { AttemptEnd } from './gate-attempt.ts';

/** How long the network may take to close when the gate does not say. */
const defaultWithinMs = 15_000;
const defaultEveryMs = 60_000;
/** A round ends after this, whatever did not answer; in a pod network an open target answers within a few. */
const roundMs = 150;
/** Between rounds, when all ended at once. */
const pauseMs = 25;
/** An attempt goes on after its round: what a busy node answers late was reached all the same. */
const attemptMs = 3_000;
/** Looks soon after the gate closed, on top of the regular ones: routes can come up later than policies are late. */
const soonMs = [1_000, 5_000, 15_000];
/** So many looks in a row that could not be made say that somebody prevents them. */
const maxUnknown = 3;
/** Rounds without any success, one after the other, that close the gate. */
const wantedRounds = 2;

export type GateState =
  | { readonly kind: 'trying' }
  /** Nothing was reached. */
  | { readonly kind: 'closed'; readonly afterMs: number }
  /** For good. `reached` names it in printable ASCII. */
  | { readonly kind: 'open'; readonly reached: string };

export interface NetworkGateOptions {
  readonly gate: NetworkGate;
  readonly onState: (state: Exclude<GateState, { kind: 'trying' }>) => void;
  readonly time?: ChannelTime;
  /** Tests replace the network. */
  readonly tryTarget?: (target: GateTarget, giveUpMs: number, signal: AbortSignal) => Promise<AttemptEnd>;
}

/**
 * Policies take hold late: on a real cluster a new pod reached the API server for its first 50–310 ms. This tries what
 * must not be reachable until all of it failed twice running, and goes on looking afterwards.
 */
export class NetworkGateWatch {
  readonly #options: NetworkGateOptions;
  readonly #time: ChannelTime;
  readonly #stop = new AbortController();
  #state: GateState = { kind: 'trying' };
  #failedRounds = 0;
  readonly #waiting = new Set<() => void>();

  constructor(options: NetworkGateOptions) {
    this.#options = options;
    this.#time = options.time ?? processTime;
    void this.#run().catch(() => {
      // Stopped.
    });
  }

  get state(): GateState {
    return this.#state;
  }

  /** Resolves when the gate has closed, or is open for good; look at `state`. */
  async settled(signal?: AbortSignal): Promise<void> {
    while (this.#state.kind === 'trying') {
      signal?.throwIfAborted();
      await new Promise<void>((resolve) => {
        const done = (): void => {
          signal?.removeEventListener('abort', done);
          this.#waiting.delete(done);
          resolve();
        };
        this.#waiting.add(done);
        signal?.addEventListener('abort', done, { once: true });
      });
    }
  }

  stop(): void {
    this.#stop.abort(new Error('stopped'));
  }

  async #run(): Promise<void> {
    const startedMs = this.#time.monotonicMs();
    const withinMs = this.#options.gate.withinMs ?? defaultWithinMs;
    const reached = new Set<string>();
    while (this.#failedRounds < wantedRounds) {
      const round = await this.#round();
      if (round.kind === 'failed') this.#failedRounds += 1;
      else this.#failedRounds = 0;
      if (round.kind === 'reached') for (const name of round.names) reached.add(name);
      if (this.#failedRounds >= wantedRounds) break;
      if (this.#time.monotonicMs() - startedMs >= withinMs) {
        this.#become({ kind: 'open', reached: [...reached].join(', ') || 'its network could not be tried' });
        return;
      }
      await this.#time.sleep(pauseMs, this.#stop.signal);
    }
    this.#become({ kind: 'closed', afterMs: Math.round(this.#time.monotonicMs() - startedMs) });
    await this.#keepLooking();
  }

  async #keepLooking(): Promise<void> {
    const everyMs = this.#options.gate.everyMs ?? defaultEveryMs;
    const soon = soonMs.filter((atMs) => atMs < everyMs);
    let beforeMs = 0;
    let unknown = 0;
    for (let look = 0; this.#state.kind === 'closed'; look += 1) {
      const atMs = soon[look];
      await this.#time.sleep(atMs === undefined ? everyMs : atMs - beforeMs, this.#stop.signal);
      beforeMs = atMs ?? beforeMs;
      const round = await this.#round();
      if (round.kind === 'reached') this.#become({ kind: 'open', reached: round.names.join(', ') });
      unknown = round.kind === 'unknown' ? unknown + 1 : 0;
      if (unknown >= maxUnknown)
        this.#become({ kind: 'open', reached: 'its network cannot be tried any more' });
    }
  }

  /** Tries all targets at once. */
  async #round(): Promise<
    { kind: 'reached'; names: readonly string[] } | { kind: 'failed' } | { kind: 'unknown' }
  > {
    const { gate, tryTarget = attempt } = this.#options;
    const ends = new Map<GateTarget, AttemptEnd>();
    let isOver = false;
    const attempts = gate.targets.map(async (target) => {
      const end = await tryTarget(target, attemptMs, this.#stop.signal);
      ends.set(target, end);
      if (isOver && end === 'reached') this.#late(target);
    });
    const roundOver = new AbortController();
    await Promise.race([
      Promise.all(attempts),
      // What arrived while this process had no time counts before the verdict does.
      this.#time
        .sleep(roundMs, AbortSignal.any([this.#stop.signal, roundOver.signal]))
        .then(() => new Promise((resolve) => setImmediate(resolve)))
        .catch(() => {}),
    ]);
    roundOver.abort(new Error('over'));
    this.#stop.signal.throwIfAborted();
    isOver = true;
    const reached = [...ends].filter(([, end]) => end === 'reached').map(([target]) => nameOf(target));
    if (reached.length > 0) return { kind: 'reached', names: reached };
    return [...ends.values()].includes('unknown') ? { kind: 'unknown' } : { kind: 'failed' };
  }

  /** A success after its round: it undoes what was counted, or the gate itself. */
  #late(target: GateTarget): void {
    this.#failedRounds = 0;
    if (this.#state.kind === 'closed') this.#become({ kind: 'open', reached: nameOf(target) });
  }

  #become(state: Exclude<GateState, { kind: 'trying' }>): void {
    if (this.#state.kind === 'open') return;
    this.#state = state;
    if (state.kind === 'open') this.stop();
    for (const done of this.#waiting) done();
    this.#options.onState(state);
  }
}

function nameOf({ name, host, port }: GateTarget): string {
  return `${name} (${isIPv6(host) ? `[${host}]` : host}:${port})`;
}
