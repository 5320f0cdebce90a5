import type { RunState } from './run-state.ts';

/**
 * Whether a run can go on after its end: a limit can be raised and a person can answer; a run that succeeded or
 * was cancelled is over, and a new attempt is a new run.
 */
export function mayGoOn(state: RunState): boolean {
  return state.ended !== null && (state.ended.outcome === 'needs_human' || state.ended.outcome === 'failed');
}
