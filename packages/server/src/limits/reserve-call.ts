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

/** The counters are not there; the run's own limits, or the call is known; or a budget has no room. */
type Refusal = { readonly missing?: true } | RefusingBudget;

/** A budget that has no room for the call. */
interface RefusingBudget {
  readonly scope: BudgetScope;
  readonly id: string;
  readonly per: BudgetPeriod;
  readonly amount: Exclude<BudgetAmount, 'runs'>;
  readonly cap: number;
  readonly until: string;
}

/**
 * Reserves the upper bound of one model call in one statement (`reserve_call` of the database): the counters of installation, principal and project and then
 * the run's row are locked, always in this order, while used, reserved and new are held against every
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
  const { rows } = await sql<{ refusal: Refusal | null }>`
    select reserve_call(${runId}, ${callId}, ${usd}::numeric, ${count}::bigint, ${spender.projectId},
      ${spender.principal}, ${model}::text, ${budgets.map((one) => one.scope)}::text[],
      ${budgets.map((one) => one.id)}::text[], ${budgets.map((one) => one.per)}::text[],
      ${budgets.map((one) => one.costUsd)}::numeric[], ${budgets.map((one) => one.tokens)}::bigint[]) as refusal`
    .execute(db.sql)
    .catch((error: unknown) => {
      // Two reservations of one call at the same instant: the other one made it.
      if ((error as { code?: string }).code === '23505') return { rows: [{ refusal: {} }] };
      throw error;
    });
  const refusal = rows[0]?.refusal;
  if (refusal === null) return;
  if (refusal === undefined || 'missing' in refusal)
    throw new BerthError('INTERNAL', 'A counter of the budgets is missing: nothing may be spent.');
  await explainRefusal(db, spender, request, 'scope' in refusal ? refusal : null);
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
