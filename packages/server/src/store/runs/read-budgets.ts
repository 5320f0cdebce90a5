import { sql, type Kysely } from 'kysely';
import { isLimited, type BudgetCaps, type BudgetPeriod, type BudgetScope } from '../../domain/budgets.ts';
import type { Tables } from '../tables.ts';

/** A budget as it stands in the present period. */
export interface BudgetState {
  readonly scope: BudgetScope;
  readonly id: string;
  readonly per: BudgetPeriod;
  readonly from: Date;
  readonly until: Date;
  readonly costUsd: Standing | null;
  readonly tokens: Standing | null;
  readonly runs: Standing | null;
}

export interface Standing {
  readonly used: number;
  readonly reserved: number;
  readonly cap: number;
}

/** The limited ones among the counters, as they stand. Where nothing was counted yet, nothing was used. @throws BerthError `DATABASE_UNAVAILABLE` */
export async function readBudgets(
  executor: Kysely<Tables>,
  caps: readonly BudgetCaps[],
): Promise<BudgetState[]> {
  const limited = caps.filter(isLimited);
  if (limited.length === 0) return [];
  const { rows } = await sql<{
    place: string;
    from: string;
    until: string;
    used_usd: string;
    reserved_usd: string;
    used_tokens: string;
    reserved_tokens: string;
    runs: number;
  }>`
    select w.place, p.present::text || 'T00:00:00Z' as from,
      (p.present + ('1 ' || w.per)::interval)::date::text || 'T00:00:00Z' as until,
      coalesce(b.used_usd, 0) as used_usd, coalesce(b.reserved_usd, 0) as reserved_usd,
      coalesce(b.used_tokens, 0) as used_tokens, coalesce(b.reserved_tokens, 0) as reserved_tokens,
      coalesce(b.runs, 0)::int as runs
    from unnest(${limited.map((one) => one.scope)}::text[], ${limited.map((one) => one.id)}::text[],
      ${limited.map((one) => one.per)}::text[]) with ordinality as w (scope, id, per, place)
    cross join lateral (select date_trunc(w.per, now() at time zone 'UTC')::date as present) p
    left join budget_use b on b.scope = w.scope and b.id = w.id and b.per = w.per and b.starts >= p.present
    order by w.place`.execute(executor);
  return rows.map((row, place): BudgetState => {
    const { scope, id, per, costUsd, tokens, runs } = limited[place]!;
    const standing = (used: number, reserved: number, cap: number | null): Standing | null =>
      cap === null ? null : { used, reserved, cap };
    return {
      scope,
      id,
      per,
      from: new Date(row.from),
      until: new Date(row.until),
      costUsd: standing(Number(row.used_usd), Number(row.reserved_usd), costUsd),
      tokens: standing(Number(row.used_tokens), Number(row.reserved_tokens), tokens),
      runs: standing(row.runs, 0, runs),
    };
  });
}

/** What the narrowest of the budgets leaves; null: none limits it. Pure. */
export function leastLeft(budgets: readonly BudgetState[], amount: 'costUsd' | 'tokens'): number | null {
  const left = budgets
    .map((budget) => budget[amount])
    .filter((standing) => standing !== null)
    .map(({ used, reserved, cap }) => Math.max(0, cap - used - reserved));
  return left.length === 0 ? null : Math.min(...left);
}
