import { sql, type Kysely, type RawBuilder } from 'kysely';
import type { Config } from '../../domain/config/index.ts';
import type { Tables } from '../tables.ts';
import type { ScopeBudget } from './waiting-budgets.ts';

/** More than any cap: where there is none. */
const uncapped = 2_000_000_000;

/** A point of a run's priority is worth a minute of waiting against runs of other projects whose turn is the same. */
export const standsSince = sql`queued_at - priority * interval '1 minute'`;

/** Runs that have an owner, over all workers: `active`, by project and principal, and their sums. */
export const activeRuns = sql`
  active as materialized (
    select project_id, principal, count(*)::int as n from runs where owner_worker is not null group by 1, 2
  ), active_projects as (select project_id, sum(n)::int as n from active group by 1
  ), active_principals as (select principal, sum(n)::int as n from active group by 1
  ), active_total as (select coalesce(sum(n), 0)::int as n from active)`;

/** The caps as a table of the statement: `project_caps`, for those that have one of their own. */
export function projectCaps(config: Config): RawBuilder<unknown> {
  const own = config.projects.filter((project) => project.cap !== undefined);
  return sql`project_caps (repository, cap) as (
    select * from unnest(${own.map((one) => one.repository)}::text[], ${own.map((one) => one.cap ?? uncapped)}::int[]))`;
}

/** The caps for all: of each project without one of its own, of each principal, of the installation. */
export function commonCaps(config: Config): { perProject: number; perPrincipal: number; total: number } {
  const { perProject, perPrincipal, total } = config.limits.caps;
  return {
    perProject: perProject ?? uncapped,
    perPrincipal: perPrincipal ?? uncapped,
    total: total ?? uncapped,
  };
}

/** The budgets as tables of the statement: `project_budgets`, `principal_budgets` (id, is_spent, runs_left, …). */
export function budgetTables(budgets: readonly ScopeBudget[]): RawBuilder<unknown> {
  const table = (scope: ScopeBudget['scope']): RawBuilder<unknown> => {
    const own = budgets.filter((budget) => budget.scope === scope);
    return sql`
      select * from unnest(${own.map((one) => one.id)}::text[], ${own.map((one) => one.runsLeft ?? uncapped)}::int[],
        ${own.map((one) => one.spent?.reason ?? null)}::text[], ${own.map((one) => one.spent?.until ?? null)}::timestamptz[],
        ${own.map((one) => one.full?.reason ?? null)}::text[], ${own.map((one) => one.full?.until ?? null)}::timestamptz[])`;
  };
  const columns = sql`(id, runs_left, spent, spent_until, full_reason, full_until)`;
  return sql`project_budgets ${columns} as (${table('project')}),
    principal_budgets ${columns} as (${table('principal')}),
    all_budgets ${columns} as (${table('installation')})`;
}

/** How many runs the installation's budgets let begin, and whether they let anything start. */
export function installationRoom(budgets: readonly ScopeBudget[]): { isSpent: boolean; runsLeft: number } {
  const own = budgets.find((budget) => budget.scope === 'installation');
  return { isSpent: own?.spent != null, runsLeft: own?.runsLeft ?? uncapped };
}

/**
 * For the rest of a transaction: joins of the line with its counts are hash joins. The planner knows nothing of the
 * size of these and took nested loops: 10,000 waiting runs then took seconds instead of some tens of milliseconds.
 * Where a nested loop is needed all the same, its cost counts as enormous, which makes a stock PostgreSQL compile the
 * statement (`jit`): on a busy machine that outlasts the statement's timeout, and nothing is ever admitted.
 */
export const linePlan = sql`set_config('enable_nestloop', 'off', true), set_config('jit', 'off', true)`;

/** Sets `linePlan`. */
export async function planForLine(transaction: Kysely<Tables>): Promise<void> {
  await sql`select ${linePlan}`.execute(transaction);
}
