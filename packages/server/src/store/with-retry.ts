import type { Clock } from '../domain/ports/clock.ts';
import { isUnavailable } from './unavailable.ts';

const firstPauseMs = 100;
const longestPauseMs = 2_000;

/**
 * Repeats `work` while the database is away, until it is back or `signal` is aborted. Only for work that may be
 * repeated when its outcome is unknown (`appendEvents` may).
 * @throws the signal's reason; whatever `work` throws besides `DATABASE_UNAVAILABLE` and `DATABASE_DISK_FULL`
 */
export async function withRetry<T>(clock: Clock, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      await clock.sleep(pauseMs, signal);
    }
  }
}
