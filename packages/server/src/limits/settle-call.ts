import { sql } from 'kysely';
import { BerthError } from '../domain/errors/index.ts';
import type { Database } from '../store/database.ts';
import { moneyText } from './reserve-call.ts';

/**
 * Replaces a reservation by what was really used; the first settlement stands. A call that used more than reserved
 * counts in full.
 * @throws BerthError `DATABASE_UNAVAILABLE` (repeat it)
 */
export async function settleCall(
  db: Database,
  request: {
    readonly runId: string;
    readonly callId: string;
    readonly costUsd: number;
    readonly tokens: number;
  },
): Promise<void> {
  const { runId, callId, costUsd, tokens } = request;
  if (!(costUsd >= 0 && tokens >= 0 && Number.isFinite(costUsd) && Number.isFinite(tokens))) {
    throw new BerthError('INTERNAL', 'A settlement needs cost and tokens.', {
      details: { callId, costUsd, tokens },
    });
  }
  const usd = moneyText(costUsd);
  const count = Math.ceil(tokens);
  await sql`
    with settled as (
      update reservations set settled_at = clock_timestamp(), settled_usd = ${usd}::numeric,
        settled_tokens = ${count}::bigint
      where run_id = ${runId} and call_id = ${callId} and settled_at is null
      returning run_id, usd, tokens
    )
    update run_budgets b set reserved_usd = reserved_usd - s.usd, reserved_tokens = reserved_tokens - s.tokens,
      reserved_steps = reserved_steps - 1, used_usd = used_usd + ${usd}::numeric,
      used_tokens = used_tokens + ${count}::bigint, used_steps = used_steps + 1
    from settled s where b.run_id = s.run_id`.execute(db.sql);
}

/** Settles at the full reservation: the call may have been billed. Idempotent; nothing for an unknown call. */
export function forfeitCall(db: Database, runId: string, callId: string): Promise<void> {
  return forfeit(db, runId, callId);
}

/** Forfeits whatever is still reserved: for the owner that recovers a run, before its first call. */
export function forfeitOpenCalls(db: Database, runId: string): Promise<void> {
  return forfeit(db, runId, null);
}

async function forfeit(db: Database, runId: string, callId: string | null): Promise<void> {
  await sql`
    with settled as (
      update reservations set settled_at = clock_timestamp(), settled_usd = usd, settled_tokens = tokens
      where run_id = ${runId} and settled_at is null and (${callId}::text is null or call_id = ${callId})
      returning run_id, usd, tokens
    ), total as (
      select run_id, sum(usd) as usd, sum(tokens)::bigint as tokens, count(*)::int as n from settled group by run_id
    )
    update run_budgets b set reserved_usd = reserved_usd - t.usd, reserved_tokens = reserved_tokens - t.tokens,
      reserved_steps = reserved_steps - t.n, used_usd = used_usd + t.usd, used_tokens = used_tokens + t.tokens,
      used_steps = used_steps + t.n
    from total t where b.run_id = t.run_id`.execute(db.sql);
}
