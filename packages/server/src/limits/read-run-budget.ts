import { BerthError } from '../domain/errors/index.ts';
import { runLimitsSchema, type RunLimits } from '../domain/limits.ts';
import type { Database } from '../store/database.ts';

export interface RunBudget {
  readonly caps: RunLimits;
  /** Settled so far. */
  readonly used: { readonly costUsd: number; readonly tokens: number; readonly steps: number };
  /** Reserved and not settled. */
  readonly reservedUsd: number;
  readonly reservedTokens: number;
}

/** @throws BerthError `NOT_FOUND` before `setRunCaps`, `DATABASE_UNAVAILABLE` */
export async function readRunBudget(db: Database, runId: string): Promise<RunBudget> {
  const row = await db.sql
    .selectFrom('run_budgets')
    .selectAll()
    .where('run_id', '=', runId)
    .executeTakeFirst();
  if (row === undefined) throw new BerthError('NOT_FOUND', `The run ${runId} has no limits yet.`);
  return {
    caps: runLimitsSchema.parse(row.limits),
    used: { costUsd: Number(row.used_usd), tokens: Number(row.used_tokens), steps: row.used_steps },
    reservedUsd: Number(row.reserved_usd),
    reservedTokens: Number(row.reserved_tokens),
  };
}
