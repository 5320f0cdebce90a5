import type { Status } from '@berth/client';

/** Stable; `berth help exit-codes` prints it. */
export const exitCodes = [
  [0, 'done; followed run `succeeded`'],
  [1, 'unexpected error (bug)'],
  [2, 'wrong usage, missing input without TTY'],
  [3, 'run `failed`'],
  [4, 'not signed in or not allowed'],
  [5, 'run `needs_human`'],
  [6, 'run `cancelled`'],
  [7, 'stopped by a limit (cost, tokens, steps, time)'],
  [8, 'not found'],
  [9, 'conflict / not possible in this state'],
  [10, 'server unreachable or overloaded (retry is safe)'],
  [11, 'doctor found a failure, or the record of acts does not hold'],
  [124, '`--timeout` passed; the run goes on, or is paused where this process carried it'],
  [130, 'interrupted; the run goes on, or is paused where this process carried it'],
] as const;

/** What following a run to its end exits with. */
export function exitCodeOf(status: Pick<Status, 'state' | 'code'>): number {
  switch (status.state) {
    case 'succeeded':
      return 0;
    case 'cancelled':
      return 6;
    case 'failed':
    case 'needs_human':
      if (status.code?.startsWith('LIMIT_') === true) return 7;
      return status.state === 'failed' ? 3 : 5;
    case 'queued':
    case 'running':
    case 'paused':
      return 0;
  }
}

/** Whether nothing happens any more unless somebody asks. */
export function isEnded(state: Status['state']): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'needs_human' || state === 'cancelled';
}
