import { BerthError } from '../domain/errors/index.ts';
import type { Clock } from '../domain/ports/clock.ts';
import type { RunLog } from '../domain/ports/run-context.ts';

/** The agent gets its wrap-up turn before the limit; this much later whatever still runs is stopped. */
const graceMs = 60_000;

/**
 * Stops a run that goes on past its minutes. The agent watches the limit itself and ends in good order; this holds
 * the limit when it does not.
 * @returns ends the watch
 */
export function limitMinutes(log: RunLog, clock: Clock, stop: (reason: BerthError) => void): () => void {
  const ended = new AbortController();
  const watch = async (): Promise<void> => {
    const startedMs = clock.monotonicMs();
    const usedMs = log.state().use.activeMs;
    for (;;) {
      const minutes = log.state().plan?.limits.minutes ?? Infinity;
      const leftMs = minutes * 60_000 + graceMs - usedMs - (clock.monotonicMs() - startedMs);
      if (leftMs <= 0) {
        stop(
          new BerthError(
            'LIMIT_MINUTES',
            `Stopped after ${minutes} of ${minutes} minutes; the work so far is kept as a checkpoint.`,
          ),
        );
        return;
      }
      await clock.sleep(Math.min(leftMs, 5_000), ended.signal);
    }
  };
  watch().catch(() => undefined);
  return () => ended.abort();
}
