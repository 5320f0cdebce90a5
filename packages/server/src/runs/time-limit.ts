import { BerthError } from '../domain/errors/index.ts';
import type { Clock } from '../domain/ports/clock.ts';
import type { RunLog } from '../domain/ports/run-context.ts';

/** A run that is not planned yet has no limit; this often it is looked whether it has one now. */
const unplannedMs = 250;
/** Longest that keeping the work may take once the time is up: a checkpoint, a push, a draft. */
const wrapUpMs = 120_000;

/**
 * Stops a run at the end of its minutes. The agent watches the limit itself, gets its wrap-up turn before, and ends
 * in good order; this holds the limit when it does not, or when something else runs.
 * @returns ends the watch
 */
export function limitMinutes(log: RunLog, clock: Clock, stop: (reason: BerthError) => void): () => void {
  const ended = new AbortController();
  const watch = async (): Promise<void> => {
    const startedMs = clock.monotonicMs();
    const usedMs = log.state().use.activeMs;
    for (;;) {
      const { plan } = log.state();
      if (plan === null) {
        await clock.sleep(unplannedMs, ended.signal);
        continue;
      }
      const { minutes } = plan.limits;
      const leftMs = minutes * 60_000 - usedMs - (clock.monotonicMs() - startedMs);
      if (leftMs <= 0) {
        stop(
          new BerthError(
            'LIMIT_MINUTES',
            `Stopped after ${minutes} of ${minutes} minutes; the work so far is kept.`,
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

/** Holds the time that is given to keeping the work of a run that is out of time. */
export function limitWrapUp(clock: Clock, stop: (reason: BerthError) => void): () => void {
  const ended = new AbortController();
  const sentence = 'The time was up, and keeping the work took too long; its last checkpoint is kept.';
  clock.sleep(wrapUpMs, ended.signal).then(
    () => stop(new BerthError('LIMIT_MINUTES', sentence)),
    () => undefined,
  );
  return () => ended.abort();
}
