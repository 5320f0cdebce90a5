import { lastOccurrence, occurrences } from '../../config/cron.ts';
import type { ScheduleConfig } from '../../domain/config/index.ts';
import type { ErrorCode } from '../../domain/errors/index.ts';
import type { FiringOutcome } from '../../store/schedules/firings.ts';

/**
 * What is later than this was missed. The queue ticks each minute and may be a minute late itself: until then a firing
 * is on time.
 */
export const onTimeMs = 3 * 60_000;

/** One planned time that has come, and what becomes of it. */
export interface Firing {
  readonly plannedMs: number;
  readonly kind: 'planned' | 'missed';
  /** Why nothing is handed in for it; null: a task is. */
  readonly leftOut: ErrorCode | null;
}

/**
 * The planned times of a schedule that came after `handledToMs`, and what becomes of each. What was missed is one
 * entry at most, for the last of them. Pure.
 * @param hasActive whether an earlier run of it is not over
 */
export function decideFirings(
  schedule: Pick<ScheduleConfig, 'cron' | 'timeZone' | 'missed' | 'overlap'>,
  state: { readonly handledToMs: number; readonly hasActive: boolean },
  nowMs: number,
): Firing[] {
  const { cron, timeZone } = schedule;
  const lateUntilMs = nowMs - onTimeMs;
  const afterMs = Math.max(state.handledToMs, lateUntilMs);
  const due = occurrences(cron, timeZone, { afterMs, untilMs: nowMs, most: 10 });
  const late =
    state.handledToMs < lateUntilMs ? lastOccurrence(cron, timeZone, state.handledToMs, lateUntilMs) : null;
  const firings: Firing[] = [];
  // With one that is on time there is nothing to make up for: that is the last.
  if (late !== null && (schedule.missed === 'skip' || due.length === 0)) {
    const leftOut = schedule.missed === 'skip' ? 'SCHEDULE_MISSED' : null;
    firings.push({ plannedMs: late, kind: 'missed', leftOut });
  }
  firings.push(...due.map((plannedMs) => ({ plannedMs, kind: 'planned' as const, leftOut: null })));
  if (schedule.overlap !== 'skip') return firings;
  let isBusy = state.hasActive;
  return firings.map((firing) => {
    if (firing.leftOut !== null) return firing;
    if (isBusy) return { ...firing, leftOut: 'SCHEDULE_OVERLAP' };
    isBusy = true;
    return firing;
  });
}

/**
 * The failures in a row, newest first. A run that failed and a firing that was refused are failures; a success ends the
 * row. What says nothing about the task is passed over: runs that are under way, cancelled, or wait for a person, and
 * firings that were left out. Pure.
 */
export function failuresInRow(outcomes: readonly FiringOutcome[]): FiringOutcome[] {
  const failed: FiringOutcome[] = [];
  for (const outcome of outcomes) {
    if (outcome.outcome === 'refused' || outcome.state === 'failed') failed.push(outcome);
    else if (outcome.state === 'succeeded') break;
  }
  return failed;
}

/** The pause that a schedule takes by itself, or null. Pure. @param outcomes newest first */
export function selfPause(
  outcomes: readonly FiringOutcome[],
  pauseAfterFailures: number,
): { readonly code: ErrorCode; readonly reason: string } | null {
  const failed = failuresInRow(outcomes);
  if (pauseAfterFailures === 0 || failed.length < pauseAfterFailures) return null;
  const codes = new Map<string, number>();
  for (const { code } of failed) codes.set(code ?? 'unknown', (codes.get(code ?? 'unknown') ?? 0) + 1);
  const counted = [...codes].map(([code, times]) => (times === 1 ? code : `${code} (${times} times)`));
  return {
    code: 'SCHEDULE_FAILURES',
    reason: `${failed.length === 1 ? 'It' : `${failed.length} runs in a row`} failed: ${counted.slice(0, 5).join(', ')}.`,
  };
}
