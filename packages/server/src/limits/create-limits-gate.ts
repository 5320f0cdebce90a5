import { capsOfSpender, type Spender } from '../domain/budgets.ts';
import { fixedConfig, type CurrentConfig } from '../domain/config/index.ts';
import type { LimitName } from '../domain/limits.ts';
import type { LimitsGate } from '../domain/ports/run-context.ts';
import type { Database } from '../store/database.ts';
import { leastLeft, readBudgets } from '../store/runs/read-budgets.ts';
import { readRunBudget, type RunBudget } from './read-run-budget.ts';
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
  // What a run has used and reserved changes by its own calls alone, which all pass here.
  let budget: Promise<RunBudget> | null = null;
  const changing = async (change: () => Promise<void>): Promise<void> => {
    try {
      await change();
    } finally {
      budget = null;
    }
  };
  const standing = (): Promise<RunBudget> => {
    budget ??= readRunBudget(db, runId);
    const asked = budget;
    asked.catch(() => {
      if (budget === asked) budget = null;
    });
    return asked;
  };
  return {
    reserve: (request) =>
      changing(async () => reserveCall(db, config.current().config, await spender(), { runId, ...request })),
    settle: (request) => changing(() => settleCall(db, { runId, ...request })),
    forfeit: (callId) => changing(() => forfeitCall(db, runId, callId)),
    async remaining() {
      const { caps, used: counted, reservedUsd } = await standing();
      const budgets = await readBudgets(db.sql, capsOfSpender(config.current().config, await spender()));
      const used: Record<LimitName, number> = { ...counted, ...useOf() };
      return {
        caps,
        used,
        reservedUsd,
        budgets: { leftUsd: leastLeft(budgets, 'costUsd'), leftTokens: leastLeft(budgets, 'tokens') },
      };
    },
  };
}
