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
import { batchesOf } from '../store/batches.ts';
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
  const refusal = await reservationsOf(db).do({
    run: runId,
    call: callId,
    usd,
    tokens: count,
    project: spender.projectId,
    principal: spender.principal,
    model,
    scopes: budgets.map((one) => one.scope),
    ids: budgets.map((one) => one.id),
    pers: budgets.map((one) => one.per),
    caps_usd: budgets.map((one) => one.costUsd),
    caps_tokens: budgets.map((one) => one.tokens),
  });
  if (refusal === 'reserved') return;
  if ('missing' in refusal)
    throw new BerthError('INTERNAL', 'A counter of the budgets is missing: nothing may be spent.');
  await explainRefusal(db, spender, request, 'scope' in refusal ? refusal : null);
}

/** The arguments of `reserve_call`. */
interface Asked {
  readonly run: string;
  readonly call: string;
  readonly usd: string;
  readonly tokens: number;
  readonly project: string;
  readonly principal: string;
  readonly model: string | null;
  readonly scopes: readonly string[];
  readonly ids: readonly string[];
  readonly pers: readonly string[];
  readonly caps_usd: readonly (number | null)[];
  readonly caps_tokens: readonly (number | null)[];
}

/**
 * Every reservation locks the installation's counters until it is durable, so that all of them stand in one line: those that
 * wait there are made in one transaction.
 */
const reservationsOf = batchesOf<Asked, Refusal | 'reserved'>((db) => ({
  rests: true,
  together: (some) => reserve(db, some),
  async alone(asked) {
    const [answer] = await reserve(db, [asked]).catch((error: unknown): readonly Refusal[] => {
      // Two reservations of one call at the same instant: the other one made it.
      if ((error as { code?: string }).code === '23505') return [{}];
      throw error;
    });
    return answer ?? {};
  },
}));

async function reserve(db: Database, some: readonly Asked[]): Promise<readonly (Refusal | 'reserved')[]> {
  const asked = JSON.stringify(some.map((one, place) => ({ place, ...one })));
  const { rows } = await sql<{ refusal: Refusal | null }>`
    select a.place, reserve_call(a.run, a.call, a.usd, a.tokens, a.project, a.principal, a.model, a.scopes, a.ids, a.pers,
      a.caps_usd, a.caps_tokens) as refusal
    from json_to_recordset(${asked}::json) as a (place int, run text, call text, usd numeric, tokens bigint, project text,
      principal text, model text, scopes text[], ids text[], pers text[], caps_usd numeric[], caps_tokens bigint[])
    order by a.place`.execute(db.sql);
  return rows.map((row) => row.refusal ?? 'reserved');
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
