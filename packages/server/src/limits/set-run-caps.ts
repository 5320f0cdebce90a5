import { sql } from 'kysely';
import type { RunLimits } from '../domain/limits.ts';
import type { Database } from '../store/database.ts';

/**
 * Sets what the run may use in all; what it has used and reserved so far stays counted. Idempotent.
 * @throws BerthError `DATABASE_UNAVAILABLE`
 */
export async function setRunCaps(db: Database, runId: string, limits: RunLimits): Promise<void> {
  const text = JSON.stringify(limits);
  await sql`
    insert into run_budgets (run_id, cap_usd, cap_tokens, cap_steps, limits)
    values (${runId}, ${limits.costUsd}, ${limits.tokens}, ${limits.steps}, ${text}::jsonb)
    on conflict (run_id) do update set cap_usd = excluded.cap_usd, cap_tokens = excluded.cap_tokens,
      cap_steps = excluded.cap_steps, limits = excluded.limits`.execute(db.sql);
}
