import type { LimitName, RunLimits } from '../domain/limits.ts';
import type { LimitsGate } from '../domain/ports/run-context.ts';
import type { Database } from '../store/database.ts';
import { readRunBudget } from './read-run-budget.ts';
import { reserveCall } from './reserve-call.ts';
import { forfeitCall, settleCall } from './settle-call.ts';

/**
 * The gate of one run. `useOf` tells what is not counted in the database: minutes and rounds, from the run's fold.
 * Call `setRunCaps` before, once the run is planned.
 */
export function createLimitsGate(
  db: Database,
  runId: string,
  useOf: () => { readonly minutes: number; readonly rounds: number },
): LimitsGate {
  return {
    reserve: (request) => reserveCall(db, { runId, ...request }),
    settle: (request) => settleCall(db, { runId, ...request }),
    forfeit: (callId) => forfeitCall(db, runId, callId),
    async remaining() {
      const budget = await readRunBudget(db, runId);
      const caps: RunLimits = budget.caps;
      const used: Record<LimitName, number> = { ...budget.used, ...useOf() };
      return { caps, used, reservedUsd: budget.reservedUsd };
    },
  };
}
