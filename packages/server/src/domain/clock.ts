import type { Clock } from './ports/clock.ts';

/** Longest delay a Node timer holds; longer sleeps are cut into pieces. */
const longestTimerMs = 2_147_483_647;

/** The real clock. `monotonicMs` is `process.hrtime`, which is the same in every thread of the machine. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => Number(process.hrtime.bigint() / 1_000n) / 1_000,
  sleep: sleepUntilDone,
};

/**
 * `clock` with a wall clock that goes on evenly from now on, whatever is done to the system's: what is written with it
 * is in order, and differences are durations.
 */
export function steadyClock(clock: Clock): Clock {
  const startedAtMs = clock.nowMs();
  const startedMs = clock.monotonicMs();
  return {
    nowMs: () => Math.round(startedAtMs + clock.monotonicMs() - startedMs),
    monotonicMs: () => clock.monotonicMs(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
  };
}

async function sleepUntilDone(ms: number, signal?: AbortSignal): Promise<void> {
  let restMs = Math.max(0, ms);
  do {
    const partMs = Math.min(restMs, longestTimerMs);
    await wait(partMs, signal);
    restMs -= partMs;
  } while (restMs > 0);
}

function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
