import { sql, type Transaction } from 'kysely';
import type { Config } from '../../domain/config/index.ts';
import type { Tables } from '../tables.ts';
import { activeRuns, budgetTables, commonCaps, projectCaps } from './line.ts';
import type { ScopeBudget } from './waiting-budgets.ts';

/**
 * Stores with every run in line why it waits, as it stands after an admission: the code, the sentence without the
 * place (which shifts all the time and is computed when somebody looks), and the line it is counted in. Only where it
 * changed, so that a thousand runs behind a full project are written once and not at every admission.
 * @returns how many rows were written
 */
export async function tellWaiting(
  transaction: Transaction<Tables>,
  config: Config,
  budgets: readonly ScopeBudget[],
): Promise<number> {
  const { perProject, perPrincipal, total } = commonCaps(config);
  const { rows } = await sql<{ n: number }>`
    with ${activeRuns}, ${projectCaps(config)}, ${budgetTables(budgets)},
    held as (
      select r.id, r.project_id, r.principal, p.name, coalesce(c.cap, ${perProject}::int) as cap,
        coalesce(ap.n, 0) as project_active, coalesce(aq.n, 0) as principal_active, active_total.n as total_active,
        coalesce(bp.spent, case when r.admitted_at is null then bp.full_reason end) as project_budget,
        coalesce(bp.spent_until, bp.full_until) as project_until,
        coalesce(bq.spent, case when r.admitted_at is null then bq.full_reason end) as principal_budget,
        coalesce(bq.spent_until, bq.full_until) as principal_until,
        coalesce(ba.spent, case when r.admitted_at is null then ba.full_reason end) as all_budget,
        coalesce(ba.spent_until, ba.full_until) as all_until
      from runs r
      cross join active_total
      join projects p on p.id = r.project_id
      left join project_caps c on c.name = p.name
      left join active_projects ap on ap.project_id = r.project_id
      left join active_principals aq on aq.principal = r.principal
      left join project_budgets bp on bp.id = r.project_id
      left join principal_budgets bq on bq.id = r.principal
      left join all_budgets ba on true
      where r.waiting and r.owner_worker is null
    ), told as (
      select id, told.* from held cross join lateral (
        select 'QUEUE_BUDGET', project_budget, 'project', project_until where project_budget is not null
        union all
        select 'QUEUE_BUDGET', principal_budget, 'principal', principal_until where principal_budget is not null
        union all
        select 'QUEUE_BUDGET', all_budget, 'all', all_until where all_budget is not null
        union all
        select 'QUEUE_PROJECT_CAP', format('Waits: project %s runs %s of %s', name, project_active, cap), 'project', null
        where project_active >= cap
        union all
        select 'QUEUE_PRINCIPAL_CAP', format('Waits: %s runs %s of %s', principal, principal_active, ${perPrincipal}::int),
          'principal', null
        where principal_active >= ${perPrincipal}::int
        union all
        select 'QUEUE_TOTAL_CAP', format('Waits: %s of %s runs are active in all', total_active, ${total}::int), 'all', null
        where total_active >= ${total}::int
        union all
        select 'QUEUE_TURN', 'Waits for a free worker', 'all', null
        limit 1
      ) as told (code, reason, line, until)
    ), written as (
      update runs r set queue_code = told.code, queue_reason = told.reason, queue_line = told.line,
        queue_until = told.until
      from told
      where r.id = told.id and r.waiting and r.owner_worker is null
        and (r.queue_code, r.queue_reason, r.queue_line, r.queue_until)
          is distinct from (told.code, told.reason, told.line, told.until)
      returning r.id
    )
    select count(*)::int as n from written`.execute(transaction);
  return rows[0]?.n ?? 0;
}
