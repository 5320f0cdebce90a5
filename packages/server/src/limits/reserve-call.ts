import { sql } from 'kysely';
import {
  budgetWords,
  capsOfSpender,
  untilWords,
  type BudgetAmount,
  type BudgetPeriod,
  type BudgetScope,
  type Spender,
} from '../domain/budgets.ts';
import type { Config } from '../domain/config/index.ts';
import { BerthError, type ErrorCode } from '../domain/errors/index.ts';
import type { Database } from '../store/database.ts';

export interface CallReservation {
  readonly runId: string;
  readonly callId: string;
  readonly costUsd: number;
  readonly tokens: number;
  readonly model?: string;
}

/** A budget that has no room for the call. */
interface RefusingBudget {
  readonly scope: BudgetScope;
  readonly id: string;
  readonly per: BudgetPeriod;
  readonly amount: Exclude<BudgetAmount, 'runs'>;
  readonly used: number;
  readonly reserved: number;
  readonly cap: number;
  readonly until: string;
}

/**
 * Reserves the upper bound of one model call in one statement: the counters of installation, project and principal
 * and then the run's row are locked, always in this order, while used, reserved and new are held against every
 * budget and cap, so reservations made at once cannot exceed them together, wherever they are made. Repeating it with
 * the same call id reserves once. Periods are those of the database's clock.
 * @param config what is budgeted now: a change counts at the next reservation
 * @param spender from `spenderOf`, which makes the counters
 * @throws BerthError `LIMIT_COST`, `LIMIT_TOKENS`, `LIMIT_STEPS`, `LIMIT_BUDGET_COST`, `LIMIT_BUDGET_TOKENS`;
 * `CONFLICT` for a call id that was settled before; `DATABASE_UNAVAILABLE`: nothing may be spent
 */
export async function reserveCall(
  db: Database,
  config: Config,
  spender: Spender,
  request: CallReservation,
): Promise<void> {
  const { runId, callId, costUsd, tokens, model = null } = request;
  if (!isAmount(costUsd) || !isAmount(tokens)) {
    throw new BerthError('INTERNAL', 'A reservation needs an upper bound of cost and tokens.', {
      details: { callId, costUsd, tokens },
    });
  }
  const usd = moneyText(costUsd);
  const count = Math.ceil(tokens);
  const budgets = capsOfSpender(config, spender);
  const { rows } = await sql<{ n: number; counters: number; refusing: RefusingBudget | null }>`
    with wanted (scope, id, per, cap_usd, cap_tokens) as (
      select * from unnest(${budgets.map((one) => one.scope)}::text[], ${budgets.map((one) => one.id)}::text[],
        ${budgets.map((one) => one.per)}::text[], ${budgets.map((one) => one.costUsd)}::numeric[],
        ${budgets.map((one) => one.tokens)}::bigint[])
    ), locked as materialized (
      select b.*, w.cap_usd, w.cap_tokens, date_trunc(b.per, now() at time zone 'UTC')::date as present
      from budget_use b join wanted w on b.scope = w.scope and b.id = w.id and b.per = w.per
      order by b.scope, b.id, b.per for update of b
    ), standing as (
      select scope, id, per, cap_usd, cap_tokens, greatest(starts, present) as starts, starts < present as turned,
        case when starts < present then 0 else used_usd end as used_usd,
        case when starts < present then 0 else reserved_usd end as reserved_usd,
        case when starts < present then 0 else used_tokens end as used_tokens,
        case when starts < present then 0 else reserved_tokens end as reserved_tokens
      from locked
    ), refusing as (
      select *, used_usd + reserved_usd + ${usd}::numeric > cap_usd as by_usd from standing
      where used_usd + reserved_usd + ${usd}::numeric > cap_usd
        or used_tokens + reserved_tokens + ${count}::bigint > cap_tokens
      order by scope, id, starts + ('1 ' || per)::interval desc limit 1
    ), fits as (
      update run_budgets set reserved_usd = reserved_usd + ${usd}::numeric,
        reserved_tokens = reserved_tokens + ${count}::bigint, reserved_steps = reserved_steps + 1
      where run_id = ${runId}
        and (select count(*) from locked) = ${budgets.length}::int
        and not exists (select from refusing)
        and used_usd + reserved_usd + ${usd}::numeric <= cap_usd
        and used_tokens + reserved_tokens + ${count}::bigint <= cap_tokens
        and used_steps + reserved_steps + 1 <= cap_steps
        and not exists (select from reservations where run_id = ${runId} and call_id = ${callId})
      returning run_id
    ), counted as (
      update budget_use b set starts = s.starts,
        used_usd = case when s.turned then 0 else b.used_usd end,
        used_tokens = case when s.turned then 0 else b.used_tokens end,
        runs = case when s.turned then 0 else b.runs end,
        reserved_usd = case when s.turned then 0 else b.reserved_usd end + ${usd}::numeric,
        reserved_tokens = case when s.turned then 0 else b.reserved_tokens end + ${count}::bigint
      from standing s, fits where b.scope = s.scope and b.id = s.id and b.per = s.per
    ), reserved as (
      insert into reservations (run_id, call_id, usd, tokens, reserved_at, project_id, principal, model)
      select run_id, ${callId}, ${usd}::numeric, ${count}::bigint, now(), ${spender.projectId}, ${spender.principal},
        ${model}::text
      from fits
    )
    select (select count(*)::int from fits) as n, (select count(*)::int from locked) as counters, (
      select jsonb_build_object('scope', scope, 'id', id, 'per', per,
        'amount', case when by_usd then 'costUsd' else 'tokens' end,
        'used', case when by_usd then used_usd else used_tokens end,
        'reserved', case when by_usd then reserved_usd else reserved_tokens end,
        'cap', case when by_usd then cap_usd else cap_tokens end,
        'until', to_char(starts + ('1 ' || per)::interval, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
      from refusing) as refusing`
    .execute(db.sql)
    .catch((error: unknown) => {
      // Two reservations of one call at the same instant: the other one made it.
      if ((error as { code?: string }).code === '23505')
        return { rows: [{ n: 0, counters: budgets.length, refusing: null }] };
      throw error;
    });
  const answer = rows[0];
  if (answer?.n === 1) return;
  if (answer?.counters !== budgets.length)
    throw new BerthError('INTERNAL', 'A counter of the budgets is missing: nothing may be spent.');
  await explainRefusal(db, spender, request, answer.refusing);
}

async function explainRefusal(
  db: Database,
  spender: Spender,
  request: CallReservation,
  refusing: RefusingBudget | null,
): Promise<void> {
  const { runId, callId } = request;
  const usd = moneyText(request.costUsd);
  const tokens = Math.ceil(request.tokens);
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
  const details = { runId, wantedUsd: request.costUsd, wantedTokens: tokens };
  const own: ErrorCode | null = found.steps
    ? 'LIMIT_STEPS'
    : found.tokens
      ? 'LIMIT_TOKENS'
      : found.usd
        ? 'LIMIT_COST'
        : null;
  if (own === null && refusing !== null) {
    throw new BerthError(
      refusing.amount === 'costUsd' ? 'LIMIT_BUDGET_COST' : 'LIMIT_BUDGET_TOKENS',
      refusalSentence(spender, refusing),
      { details: { ...details, budget: refusing } },
    );
  }
  throw new BerthError(own ?? 'LIMIT_COST', undefined, {
    details: {
      ...details,
      usedUsd: Number(found.used),
      reservedUsd: Number(found.reserved),
      capUsd: Number(found.cap),
    },
  });
}

function refusalSentence(spender: Spender, budget: RefusingBudget): string {
  const name = budget.scope === 'project' ? spender.project : spender.principal;
  const words = budgetWords(budget.scope, name, budget.per, budget.amount, budget.cap);
  return `No room for another model call in ${words}; it turns at ${untilWords(new Date(budget.until))}.`;
}

function isAmount(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

/** Money as decimal text, rounded up to a millionth of a cent, so that a bound stays a bound. */
export function moneyText(usd: number): string {
  const text = usd.toFixed(8);
  return Number(text) >= usd ? text : (Number(text) + 1e-8).toFixed(8);
}
