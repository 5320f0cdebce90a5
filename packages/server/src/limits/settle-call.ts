import { sql, type RawBuilder } from 'kysely';
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
  await settle(db, { runId, callId }, sql`${moneyText(costUsd)}::numeric`, sql`${Math.ceil(tokens)}::bigint`, answer);
}

/** Settles at the full reservation: the call may have been billed. Idempotent; nothing for an unknown call. */
export async function forfeitCall(db: Database, runId: string, callId: string): Promise<void> {
  await settle(db, { runId, callId }, sql`usd`, sql`tokens`, undefined);
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

/** Locks in the order in which `reserveCall` does: the counters, the run's row; then the ledger's row. */
async function settle(
  db: Database,
  call: { readonly runId: string; readonly callId: string },
  usd: RawBuilder<unknown>,
  tokens: RawBuilder<unknown>,
  answer: CallSettlement['answer'],
): Promise<void> {
  const { runId, callId } = call;
  const isAnswered = answer !== undefined;
  await sql`
    with open as materialized (
      select project_id, principal from reservations
      where run_id = ${runId} and call_id = ${callId} and settled_at is null
    ), locked as materialized (
      select b.scope from open o
      cross join lateral (values ('installation', ''), ('project', o.project_id), ('principal', o.principal))
        as w (scope, id)
      join budget_use b on b.scope = w.scope and b.id = w.id
      order by b.scope, b.id, b.per for update of b
    ), settled as (
      update reservations set settled_at = clock_timestamp(), settled_usd = ${usd}, settled_tokens = ${tokens}
      where run_id = ${runId} and call_id = ${callId} and settled_at is null
        and (select count(*) from locked) >= 0
      returning run_id, usd, tokens, settled_usd, settled_tokens, project_id, principal, model,
        (reserved_at at time zone 'UTC')::date as day
    ), of_run as (
      update run_budgets b set reserved_usd = reserved_usd - s.usd, reserved_tokens = reserved_tokens - s.tokens,
        reserved_steps = reserved_steps - 1, used_usd = used_usd + s.settled_usd,
        used_tokens = used_tokens + s.settled_tokens, used_steps = used_steps + 1
      from settled s where b.run_id = s.run_id
      returning s.*
    ), budgets as (
      -- A period that has turned since the call began no longer holds its reservation.
      update budget_use b set reserved_usd = reserved_usd - s.usd, reserved_tokens = reserved_tokens - s.tokens,
        used_usd = used_usd + s.settled_usd, used_tokens = used_tokens + s.settled_tokens
      from settled s
      where (b.scope, b.id) in (('installation', ''), ('project', s.project_id), ('principal', s.principal))
        and b.starts = date_trunc(b.per, s.day::timestamp)::date
    )
    insert into usage_ledger as l (day, project_id, principal, model, cost_usd, input_tokens, output_tokens,
      cached_tokens, calls, lost_usd, lost_tokens)
    select day, project_id, principal, coalesce(${answer?.model ?? null}::text, model, 'unknown'),
      case when ${isAnswered} then settled_usd else 0 end, ${answer?.usage.inputTokens ?? 0}::bigint,
      ${answer?.usage.outputTokens ?? 0}::bigint, ${answer?.usage.cachedInputTokens ?? 0}::bigint,
      ${isAnswered ? 1 : 0}::int, case when ${isAnswered} then 0 else settled_usd end,
      case when ${isAnswered} then 0 else settled_tokens end
    from of_run where project_id is not null and (${isAnswered} or settled_usd > 0 or settled_tokens > 0)
    on conflict (day, project_id, principal, model) do update set
      cost_usd = l.cost_usd + excluded.cost_usd, input_tokens = l.input_tokens + excluded.input_tokens,
      output_tokens = l.output_tokens + excluded.output_tokens,
      cached_tokens = l.cached_tokens + excluded.cached_tokens, calls = l.calls + excluded.calls,
      lost_usd = l.lost_usd + excluded.lost_usd, lost_tokens = l.lost_tokens + excluded.lost_tokens`.execute(db.sql);
}
