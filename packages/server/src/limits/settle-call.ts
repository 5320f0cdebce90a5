import { sql } from 'kysely';
import { BerthError } from '../domain/errors/index.ts';
import type { CallSettlement } from '../domain/ports/run-context.ts';
import type { Database } from '../store/database.ts';
import { moneyText } from './reserve-call.ts';

/**
 * Replaces a reservation by what was really used, in the run, in every budget it stands in, and in the usage ledger;
 * the first settlement stands. A call that used more than reserved counts in full. With `answer` it stands in the
 * ledger as answered, else as lost.
 * @throws BerthError `DATABASE_UNAVAILABLE` (repeat it)
 */
export async function settleCall(
  db: Database,
  request: CallSettlement & { readonly runId: string },
): Promise<void> {
  const { runId, callId, costUsd, tokens, answer } = request;
  if (!(costUsd >= 0 && tokens >= 0 && Number.isFinite(costUsd) && Number.isFinite(tokens))) {
    throw new BerthError('INTERNAL', 'A settlement needs cost and tokens.', {
      details: { callId, costUsd, tokens },
    });
  }
  const actual = { usd: moneyText(costUsd), tokens: Math.ceil(tokens) };
  await settle(db, { runId, callId }, actual, answer);
}

/** Settles at the full reservation: the call may have been billed. Idempotent; nothing for an unknown call. */
export async function forfeitCall(db: Database, runId: string, callId: string): Promise<void> {
  await settle(db, { runId, callId }, null, undefined);
}

/**
 * Ids of the calls that are still reserved, for the run's owner; nobody else may end them.
 * @throws BerthError `DATABASE_UNAVAILABLE`
 */
export async function openCallsOf(
  db: Database,
  owner: { readonly runId: string; readonly worker: string; readonly epoch: number },
): Promise<string[]> {
  const rows = await db.sql
    .selectFrom('reservations')
    .innerJoin('runs', 'runs.id', 'reservations.run_id')
    .select('call_id')
    .where('run_id', '=', owner.runId)
    .where('settled_at', 'is', null)
    .where('owner_worker', '=', owner.worker)
    .where('owner_epoch', '=', owner.epoch)
    .orderBy('call_id')
    .execute();
  return rows.map((row) => row.call_id);
}

/** One statement: `settle_call` of the database, which locks in the order of `reserve_call`. */
async function settle(
  db: Database,
  call: { readonly runId: string; readonly callId: string },
  actual: { readonly usd: string; readonly tokens: number } | null,
  answer: CallSettlement['answer'],
): Promise<void> {
  await sql`
    select settle_call(${call.runId}, ${call.callId}, ${actual?.usd ?? null}::numeric,
      ${actual?.tokens ?? null}::bigint, ${answer !== undefined}, ${answer?.model ?? null}::text,
      ${answer?.usage.inputTokens ?? 0}::bigint, ${answer?.usage.outputTokens ?? 0}::bigint,
      ${answer?.usage.cachedInputTokens ?? 0}::bigint)`.execute(db.sql);
}
