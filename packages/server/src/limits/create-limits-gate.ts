import { capsOfSpender, type Spender } from '../domain/budgets.ts';
import { fixedConfig, type CurrentConfig } from '../domain/config/index.ts';
import type { LimitName, RunLimits } from '../domain/limits.ts';
import type { LimitsGate } from '../domain/ports/run-context.ts';
import type { Database } from '../store/database.ts';
import { leastLeft, readBudgets } from '../store/runs/read-budgets.ts';
import { readRunBudget } from './read-run-budget.ts';
import { reserveCall } from './reserve-call.ts';
import { forfeitCall, settleCall } from './settle-call.ts';
import { spenderOf } from './spender.ts';

/**
 * The gate of one run. `useOf` tells what is not counted in the database: minutes and rounds, from the run's fold.
 * Call `setRunCaps` before, once the run is planned. Budgets are those of the configuration at the moment of each call.
 */
export function createLimitsGate(
  db: Database,
  runId: string,
  useOf: () => { readonly minutes: number; readonly rounds: number },
  config: CurrentConfig = fixedConfig(),
): LimitsGate {
  let known: Spender | null = null;
  const spender = async (): Promise<Spender> => (known ??= await spenderOf(db, runId));
  return {
    reserve: async (request) =>
      reserveCall(db, config.current().config, await spender(), { runId, ...request }),
    settle: (request) => settleCall(db, { runId, ...request }),
    forfeit: (callId) => forfeitCall(db, runId, callId),
    async remaining() {
      const budget = await readRunBudget(db, runId);
      const budgets = await readBudgets(db.sql, capsOfSpender(config.current().config, await spender()));
      const caps: RunLimits = budget.caps;
      const used: Record<LimitName, number> = { ...budget.used, ...useOf() };
      return {
        caps,
        used,
        reservedUsd: budget.reservedUsd,
        budgets: { leftUsd: leastLeft(budgets, 'costUsd'), leftTokens: leastLeft(budgets, 'tokens') },
      };
    },
  };
}
