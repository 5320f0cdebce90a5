import { sql } from 'kysely';
import { BerthError } from '../domain/errors/index.ts';
import type { CallSettlement } from '../domain/ports/run-context.ts';
import { batchesOf } from '../store/batches.ts';
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

async function settle(
  db: Database,
  call: { readonly runId: string; readonly callId: string },
  actual: { readonly usd: string; readonly tokens: number } | null,
  answer: CallSettlement['answer'],
): Promise<void> {
  await settlementsOf(db).do({
    run: call.runId,
    call: call.callId,
    usd: actual?.usd ?? null,
    tokens: actual?.tokens ?? null,
    answered: answer !== undefined,
    model: answer?.model ?? null,
    tokens_in: answer?.usage.inputTokens ?? 0,
    tokens_out: answer?.usage.outputTokens ?? 0,
    tokens_cached: answer?.usage.cachedInputTokens ?? 0,
  });
}

/** The arguments of `settle_call`. */
interface Settled {
  readonly run: string;
  readonly call: string;
  readonly usd: string | null;
  readonly tokens: number | null;
  readonly answered: boolean;
  readonly model: string | null;
  readonly tokens_in: number;
  readonly tokens_out: number;
  readonly tokens_cached: number;
}

/** One statement: `settle_call` of the database, which locks in the order of `reserve_call`; those at once share it. */
const settlementsOf = batchesOf<Settled, true>((db) => ({
  rests: true,
  async together(some) {
    await settleAll(db, some);
    return some.map(() => true);
  },
  async alone(one) {
    await settleAll(db, [one]);
    return true;
  },
}));

async function settleAll(db: Database, some: readonly Settled[]): Promise<void> {
  await sql`
    select settle_call(s.run, s.call, s.usd, s.tokens, s.answered, s.model, s.tokens_in, s.tokens_out, s.tokens_cached)
    from json_to_recordset(${JSON.stringify(some)}::json) as s (run text, call text, usd numeric, tokens bigint,
      answered boolean, model text, tokens_in bigint, tokens_out bigint, tokens_cached bigint)`.execute(
    db.sql,
  );
}
