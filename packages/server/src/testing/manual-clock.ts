import type { Clock } from '../domain/ports/clock.ts';

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

/** A clock that moves only when a test says so. */
export class ManualClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  #sleepers: Sleeper[] = [];

  constructor(startMs = Date.parse('2026-01-01T00:00:00Z')) {
    this.#wallMs = startMs;
  }

  nowMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** How many sleeps are under way: tests wait for this before they advance. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const drop = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
      };
      const stop = (): void => {
        drop();
        reject(signal?.reason as Error);
      };
      const sleeper: Sleeper = {
        dueMs: this.#monotonicMs + Math.max(0, ms),
        wake: () => {
          drop();
          signal?.removeEventListener('abort', stop);
          resolve();
        },
      };
      signal?.addEventListener('abort', stop, { once: true });
      this.#sleepers.push(sleeper);
    });
  }

  /** Moves both clocks on and wakes who is due, in order, letting each run before the next wakes. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms;
    for (;;) {
      const due = this.#sleepers
        .filter((sleeper) => sleeper.dueMs <= endMs)
        .sort((a, b) => a.dueMs - b.dueMs)[0];
      if (due === undefined) break;
      this.#wallMs += Math.max(0, due.dueMs - this.#monotonicMs);
      this.#monotonicMs = Math.max(this.#monotonicMs, due.dueMs);
      due.wake();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#wallMs += endMs - this.#monotonicMs;
    this.#monotonicMs = endMs;
  }

  /** The wall clock jumps; monotonic time does not notice. */
  jump(ms: number): void {
    this.#wallMs += ms;
  }
}
