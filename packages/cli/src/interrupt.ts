import type { Io } from './io.ts';

/** What ended the wait. */
export type Interruption = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'timeout' | 'detach';

const exitCodeOfSignal = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, timeout: 124, detach: 130 } as const;

/**
 * Listens for Ctrl-C and friends and for `--timeout`. The first aborts `signal`, so that the command can pause or
 * detach; a second Ctrl-C leaves at once.
 */
export class Interrupt {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout | null;
  #cause: Interruption | null = null;
  #isDeaf = false;

  constructor(timeoutMs: number | null) {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, this.#onSignal);
    this.#timer = timeoutMs === null ? null : setTimeout(() => this.raise('timeout'), timeoutMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get cause(): Interruption | null {
    return this.#cause;
  }

  get exitCode(): number {
    return this.#cause === null ? 0 : exitCodeOfSignal[this.#cause];
  }

  [Symbol.dispose](): void {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, this.#onSignal);
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** Ctrl-C in a pager reaches this process, too, and is not meant for it. */
  async ignoringCtrlC<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#isDeaf = true;
    try {
      return await work();
    } finally {
      this.#isDeaf = false;
    }
  }

  readonly #onSignal = (signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): void => {
    if (!this.#isDeaf || signal !== 'SIGINT') this.raise(signal);
  };

  /** What a signal does, also for a key that means it. */
  raise(cause: Interruption): void {
    if (this.#cause !== null && cause !== 'timeout') process.exit(exitCodeOfSignal[cause]);
    this.#cause ??= cause;
    this.#controller.abort();
  }
}

/** Restores what a live view changes in the terminal, should the process leave at once. */
export function onLeave(io: Io, restore: string): () => void {
  const listener = (): void => void io.stderr.write(restore);
  process.on('exit', listener);
  return () => process.off('exit', listener);
}
