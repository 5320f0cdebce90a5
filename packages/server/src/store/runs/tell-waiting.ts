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
  const { rows } = await sql<{ id: string; code: string; reason: string; line: string; until: Date | null }>`
    with ${activeRuns}, ${projectCaps(config)}, ${budgetTables(budgets)},
    held as (
      select r.id, r.project_id, r.principal, p.name, coalesce(c.cap, ${perProject}::int) as cap,
        coalesce(ap.n, 0) as project_active, coalesce(aq.n, 0) as principal_active, active_total.n as total_active,
        r.queue_code, r.queue_reason, r.queue_line, r.queue_until,
        case when r.held_until > clock_timestamp() then r.held_code end as held_code, r.held_reason,
        coalesce(bp.spent, case when r.admitted_at is null then bp.full_reason end) as project_budget,
        coalesce(bp.spent_until, bp.full_until) as project_until,
        coalesce(bq.spent, case when r.admitted_at is null then bq.full_reason end) as principal_budget,
        coalesce(bq.spent_until, bq.full_until) as principal_until,
        coalesce(ba.spent, case when r.admitted_at is null then ba.full_reason end) as all_budget,
        coalesce(ba.spent_until, ba.full_until) as all_until
      from runs r
      cross join active_total
      join projects p on p.id = r.project_id
      left join project_caps c on c.repository = p.repository
      left join active_projects ap on ap.project_id = r.project_id
      left join active_principals aq on aq.principal = r.principal
      left join project_budgets bp on bp.id = r.project_id
      left join principal_budgets bq on bq.id = r.principal
      left join all_budgets ba on true
      where r.waiting and r.owner_worker is null
    ), coded as (
      select *, case when held_code is not null then held_code
          when coalesce(project_budget, principal_budget, all_budget) is not null then 'QUEUE_BUDGET'
          when project_active >= cap then 'QUEUE_PROJECT_CAP'
          when principal_active >= ${perPrincipal}::int then 'QUEUE_PRINCIPAL_CAP'
          when total_active >= ${total}::int then 'QUEUE_TOTAL_CAP'
          else 'QUEUE_TURN' end as code
      from held
    ), told as (
      select id, queue_code, queue_reason, queue_line, queue_until, code, case code
          when held_code then format('Waits: %s', held_reason)
          when 'QUEUE_BUDGET' then coalesce(project_budget, principal_budget, all_budget)
          when 'QUEUE_PROJECT_CAP' then format('Waits: project %s runs %s of %s', name, project_active, cap)
          when 'QUEUE_PRINCIPAL_CAP'
            then format('Waits: %s runs %s of %s', principal, principal_active, ${perPrincipal}::int)
          when 'QUEUE_TOTAL_CAP' then format('Waits: %s of %s runs are active in all', total_active, ${total}::int)
          else 'Waits for a free worker' end as reason,
        case when held_code is not null then 'all' when code = 'QUEUE_PROJECT_CAP' or project_budget is not null then 'project'
          when code = 'QUEUE_PRINCIPAL_CAP' or principal_budget is not null then 'principal' else 'all' end as line,
        case when held_code is not null then null when project_budget is not null then project_until when principal_budget is not null then principal_until
          when all_budget is not null then all_until end as until
      from coded
    )
    select id, code, reason, line, until from told
    where (queue_code, queue_reason, queue_line, queue_until) is distinct from (code, reason, line, until)`.execute(
    transaction,
  );
  if (rows.length === 0) return 0;
  await sql`
    update runs r set queue_code = t.code, queue_reason = t.reason, queue_line = t.line, queue_until = t.until
    from unnest(${rows.map((row) => row.id)}::text[], ${rows.map((row) => row.code)}::text[],
      ${rows.map((row) => row.reason)}::text[], ${rows.map((row) => row.line)}::text[],
      ${rows.map((row) => row.until)}::timestamptz[]) as t (id, code, reason, line, until)
    where r.id = t.id and r.id = any(${rows.map((row) => row.id)}::text[]) and r.waiting and r.owner_worker is null`.execute(
    transaction,
  );
  return rows.length;
}
