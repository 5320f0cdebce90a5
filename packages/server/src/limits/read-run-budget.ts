import { sql } from 'kysely';
import { BerthError } from '../domain/errors/index.ts';
import { runLimitsSchema, type RunLimits } from '../domain/limits.ts';
import { batchesOf } from '../store/batches.ts';
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
  return readingsOf(db).do(runId);
}

/** Runs that ask at the same time are answered by one look. */
const readingsOf = batchesOf<string, RunBudget>((db) => ({
  async together(runIds) {
    const found = await read(db, runIds);
    return runIds.map((runId) => found.get(runId) ?? null);
  },
  async alone(runId) {
    const budget = (await read(db, [runId])).get(runId);
    if (budget === undefined) throw new BerthError('NOT_FOUND', `The run ${runId} has no limits yet.`);
    return budget;
  },
}));

async function read(db: Database, runIds: readonly string[]): Promise<ReadonlyMap<string, RunBudget>> {
  const rows = await db.sql
    .selectFrom('run_budgets')
    .select(['run_id', 'limits', 'used_usd', 'used_tokens', 'used_steps', 'reserved_usd', 'reserved_tokens'])
    .where('run_id', '=', sql<string>`any(${[...runIds]}::text[])`)
    .execute();
  return new Map(
    rows.map((row) => [
      row.run_id,
      {
        caps: runLimitsSchema.parse(row.limits),
        used: { costUsd: Number(row.used_usd), tokens: Number(row.used_tokens), steps: row.used_steps },
        reservedUsd: Number(row.reserved_usd),
        reservedTokens: Number(row.reserved_tokens),
      },
    ]),
  );
}
