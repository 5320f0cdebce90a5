import type { Clock } from '../domain/ports/clock.ts';

/** The machine's own time. Its timers do not keep a test process alive. */
export const testClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop);
        resolve();
      }, ms).unref();
      signal?.addEventListener('abort', stop, { once: true });
      if (signal?.aborted === true) stop();
    }),
};
