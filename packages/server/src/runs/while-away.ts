import { asBerthError, type ErrorCode } from '../domain/errors/index.ts';
import type { Clock } from '../domain/ports/clock.ts';

/**
 * Nothing can be stored now, and later it can: the database is away, or a disk is full. A run waits for that, and is
 * never ended by it.
 */
export function isStorageAway(code: ErrorCode): boolean {
  return code === 'DATABASE_UNAVAILABLE' || code === 'DATABASE_DISK_FULL';
}

/** First wait and longest wait between two tries while the database is away. */
const firstWaitMs = 100;
const longestWaitMs = 2_000;

/** A worker that is told to stop does not wait longer than this for a database that is away. */
const longestAfterStopMs = 5_000;

/**
 * Does something that is safe to repeat, again and again while nothing can be stored, until it answers or the
 * worker has to let go: at once when it lost its lease, soon when it was told to stop.
 */
export async function whileAway<T>(clock: Clock, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  let stoppedMs: number | null = null;
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    try {
      return await act();
    } catch (error) {
      if (!isStorageAway(asBerthError(error).code)) throw error;
      if (signal.aborted) {
        stoppedMs ??= clock.monotonicMs();
        const isOver = clock.monotonicMs() - stoppedMs > longestAfterStopMs;
        if (isOver || asBerthError(signal.reason).code === 'OWNERSHIP_LOST') throw error;
      }
      await clock.sleep(waitMs);
    }
  }
}
