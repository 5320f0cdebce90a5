import { asBerthError } from '../domain/errors/index.ts';
import type { Clock } from '../domain/ports/clock.ts';

/** First wait and longest wait between two tries while the database is away. */
const firstWaitMs = 100;
const longestWaitMs = 2_000;

/**
 * Does something that is safe to repeat, again and again while the database is away, until it answers or the
 * worker has to let go.
 */
export async function whileAway<T>(clock: Clock, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    try {
      return await act();
    } catch (error) {
      // Pause and cancel must still be written down: only the loss of the lease ends the waiting.
      const reason = signal.aborted ? asBerthError(signal.reason).code : null;
      if (asBerthError(error).code !== 'DATABASE_UNAVAILABLE' || reason === 'OWNERSHIP_LOST') throw error;
      await clock.sleep(waitMs);
    }
  }
}
