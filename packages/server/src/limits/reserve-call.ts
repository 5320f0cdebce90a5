import { sql } from 'kysely';
import { BerthError, type ErrorCode } from '../domain/errors/index.ts';
import type { Database } from '../store/database.ts';

/**
 * Reserves the upper bound of one model call in one statement: the run's row is locked while used, reserved and new
 * are held against its caps, so reservations made at once cannot exceed them together. Repeating it with the same
 * call id reserves once.
 * @throws BerthError `LIMIT_COST`, `LIMIT_TOKENS`, `LIMIT_STEPS`; `CONFLICT` for a call id that was settled before;
 * `DATABASE_UNAVAILABLE`: nothing may be spent
 */
export async function reserveCall(
  db: Database,
  request: {
    readonly runId: string;
    readonly callId: string;
    readonly costUsd: number;
    readonly tokens: number;
  },
): Promise<void> {
  const { runId, callId, costUsd, tokens } = request;
  if (!isAmount(costUsd) || !isAmount(tokens)) {
    throw new BerthError('INTERNAL', 'A reservation needs an upper bound of cost and tokens.', {
      details: { callId, costUsd, tokens },
    });
  }
  const usd = moneyText(costUsd);
  const count = Math.ceil(tokens);
  const { rows } = await sql<{ n: number }>`
    with fits as (
      update run_budgets set reserved_usd = reserved_usd + ${usd}::numeric,
        reserved_tokens = reserved_tokens + ${count}::bigint, reserved_steps = reserved_steps + 1
      where run_id = ${runId}
        and used_usd + reserved_usd + ${usd}::numeric <= cap_usd
        and used_tokens + reserved_tokens + ${count}::bigint <= cap_tokens
        and used_steps + reserved_steps + 1 <= cap_steps
        and not exists (select from reservations where run_id = ${runId} and call_id = ${callId})
      returning run_id
    ), reserved as (
      insert into reservations (run_id, call_id, usd, tokens)
      select run_id, ${callId}, ${usd}::numeric, ${count}::bigint from fits
    )
    select count(*)::int as n from fits`
    .execute(db.sql)
    .catch((error: unknown) => {
      // Two reservations of one call at the same instant: the other one made it.
      if ((error as { code?: string }).code === '23505') return { rows: [{ n: 0 }] };
      throw error;
    });
  if (rows[0]?.n !== 1) await explainRefusal(db, request, count);
}

async function explainRefusal(
  db: Database,
  request: { readonly runId: string; readonly callId: string; readonly costUsd: number },
  tokens: number,
): Promise<void> {
  const { runId, callId } = request;
  const usd = moneyText(request.costUsd);
  const { rows } = await sql<{
    repeated: 'open' | 'settled' | null;
    usd: boolean;
    tokens: boolean;
    steps: boolean;
    used: string;
    reserved: string;
    cap: string;
  }>`
    select (select case when settled_at is null then 'open' else 'settled' end from reservations r
        where r.run_id = ${runId} and call_id = ${callId}) as repeated,
      used_usd + reserved_usd + ${usd}::numeric > cap_usd as usd,
      used_tokens + reserved_tokens + ${tokens}::bigint > cap_tokens as tokens,
      used_steps + reserved_steps + 1 > cap_steps as steps,
      used_usd as used, reserved_usd as reserved, cap_usd as cap
    from run_budgets where run_id = ${runId}`.execute(db.sql);
  const found = rows[0];
  if (found === undefined) {
    throw new BerthError('INTERNAL', `The run ${runId} has no limits yet: nothing may be spent.`);
  }
  if (found.repeated === 'open') return;
  if (found.repeated === 'settled') {
    throw new BerthError('CONFLICT', `The model call ${callId} was settled before.`, {
      details: { runId, callId },
    });
  }
  const code: ErrorCode = found.steps ? 'LIMIT_STEPS' : found.tokens ? 'LIMIT_TOKENS' : 'LIMIT_COST';
  throw new BerthError(code, undefined, {
    details: {
      runId,
      usedUsd: Number(found.used),
      reservedUsd: Number(found.reserved),
      capUsd: Number(found.cap),
      wantedUsd: request.costUsd,
      wantedTokens: tokens,
    },
  });
}

function isAmount(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

/** Money as decimal text, rounded up to a millionth of a cent, so that a bound stays a bound. */
export function moneyText(usd: number): string {
  const text = usd.toFixed(8);
  return Number(text) >= usd ? text : (Number(text) + 1e-8).toFixed(8);
}
