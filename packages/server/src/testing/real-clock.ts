import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../domain/ports/clock.ts';

/** The machine's own time, for tests that talk to real servers. */
export const realClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    try {
      await delay(ms, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : error;
    }
  },
};
