import { sql, type Transaction } from 'kysely';
import { emptyConfig, type Config } from '../../domain/config/index.ts';
import type { Database } from '../database.ts';
import type { Tables } from '../tables.ts';
import type { Ownership } from './claim-run.ts';
import {
  activeRuns,
  budgetTables,
  commonCaps,
  installationRoom,
  linePlan,
  projectCaps,
  standsSince,
} from './line.ts';
import { tellWaiting } from './tell-waiting.ts';
import { waitingBudgets, type ScopeBudget } from './waiting-budgets.ts';

/** Any number: it only has to be the same in every Berth, and differ from the migrations' lock. */
const admissionLock = 7_266_002;
/**
 * Each round admits all that fit together by a safe estimate, and at least one where one fits at all: what a cap of
 * a principal leaves over of a project's room goes to others in the next round. The poll finds what is left after these.
 */
const mostRounds = 6;
/** Cancelled runs taken beyond a worker's room: they only end. */
const mostCancelled = 20;

/**
 * Gives waiting runs to `worker`, at most `limit`, within the caps and budgets of `config`, which count over all
 * workers: in turn over the projects, the one with the fewest active runs first; within a project by priority, then in
 * turn over its principals, then by age. Those that go on waiting are told why, where that changed. Runs that were
 * cancelled in line, or refused at a gate, are given out at once: they have to move once more to end.
 * @param relabel false: only those are told that know no reason yet, unless something was admitted
 * @throws BerthError `DATABASE_UNAVAILABLE`
 */
export async function admitRuns(
  db: Database,
  options: {
    readonly worker: string;
    readonly config?: Config;
    readonly limit: number;
    readonly relabel?: boolean;
  },
): Promise<Ownership[]> {
  const { worker, config = emptyConfig, limit, relabel = true } = options;
  const { rows } = await sql<{ waits: boolean; is_untold: boolean; is_asked: boolean }>`
    select exists (select from runs where waiting and owner_worker is null) as waits,
      exists (select from runs where waiting and owner_worker is null and queue_code is null) as is_untold,
      exists (select from runs where waiting and owner_worker is null and inbox_count > 0) as is_asked`.execute(
    db.sql,
  );
  const [line] = rows;
  if (line?.waits !== true) return [];
  if (limit <= 0 && !relabel && !line.is_untold && !line.is_asked) return [];
  return db.sql.transaction().execute(async (transaction) => {
    // Before the statements, so that their snapshots see what the last holder did. A process that is stopped while it
    // holds the lock must not hold up all others. For the plan, see `linePlan`.
    await sql`select set_config('idle_in_transaction_session_timeout', '5000', true),
      ${linePlan}, pg_advisory_xact_lock(${admissionLock})`.execute(transaction);
    const admitted = line.is_asked ? await takeCancelled(transaction, worker) : [];
    let budgets = await waitingBudgets(transaction, config);
    for (let round = 0, left = limit; round < mostRounds && left > 0; round += 1) {
      const more = await admitRound(transaction, { worker, config, budgets, limit: left });
      admitted.push(...more);
      left -= more.length;
      if (more.length === 0) break;
      budgets = await waitingBudgets(transaction, config);
    }
    if (relabel || line.is_untold || admitted.length > 0) await tellWaiting(transaction, config, budgets);
    return admitted;
  });
}

async function takeCancelled(transaction: Transaction<Tables>, worker: string): Promise<Ownership[]> {
  const { rows } = await sql<Ownership>`
    update runs set owner_worker = ${worker}, owner_epoch = owner_epoch + 1, waiting = false, queue_code = null,
      queue_reason = null, queue_line = null, queue_until = null
    where id in (
        select r.id from runs r where r.waiting and r.owner_worker is null and r.inbox_count > 0
          and exists (select from inbox i where i.run_id = r.id and i.consumed_seq is null and
            (i.kind = 'cancel' or (i.kind = 'gate' and i.data->>'verdict' <> 'approved')))
        order by r.queued_at limit ${mostCancelled})
      and waiting and owner_worker is null
      and exists (select from workers where id = ${worker} and lease_expires_at > clock_timestamp())
    returning id as "runId", owner_worker as worker, owner_epoch as epoch`.execute(transaction);
  return rows;
}

async function admitRound(
  transaction: Transaction<Tables>,
  options: {
    readonly worker: string;
    readonly config: Config;
    readonly budgets: readonly ScopeBudget[];
    readonly limit: number;
  },
): Promise<Ownership[]> {
  const { worker, config, budgets, limit } = options;
  const { perProject, perPrincipal, total } = commonCaps(config);
  const { isSpent, runsLeft } = installationRoom(budgets);
  if (isSpent) return [];
  const { rows } = await sql<Ownership>`
    with ${activeRuns}, ${projectCaps(config)}, ${budgetTables(budgets)},
    -- Whoever could start if it were alone.
    eligible as (
      select r.id, r.project_id, r.principal, r.priority, r.queued_at, r.admitted_at is null as is_new,
        coalesce(c.cap, ${perProject}::int) as project_cap,
        coalesce(ap.n, 0) as project_active, coalesce(aq.n, 0) as principal_active, coalesce(a.n, 0) as both_active,
        bp.runs_left as project_runs, bq.runs_left as principal_runs
      from runs r
      join projects p on p.id = r.project_id
      left join project_caps c on c.repository = p.repository
      left join active a on a.project_id = r.project_id and a.principal = r.principal
      left join active_projects ap on ap.project_id = r.project_id
      left join active_principals aq on aq.principal = r.principal
      left join project_budgets bp on bp.id = r.project_id
      left join principal_budgets bq on bq.id = r.principal
      where r.waiting and r.owner_worker is null
        and (r.held_until is null or r.held_until <= clock_timestamp())
        and coalesce(ap.n, 0) < coalesce(c.cap, ${perProject}::int) and coalesce(aq.n, 0) < ${perPrincipal}::int
        and bp.spent is null and bq.spent is null
        and (r.admitted_at is not null or (coalesce(bp.runs_left, 1) > 0 and coalesce(bq.runs_left, 1) > 0
          and ${runsLeft}::int > 0))
    ), in_turn as (
      select *, both_active + row_number() over (
        partition by project_id, principal order by priority desc, queued_at, id) as principal_turn
      from eligible
    ), of_project as (
      select *, project_active + row_number() over project as turn,
        count(*) filter (where is_new) over (project rows unbounded preceding) as project_new
      from in_turn window project as (partition by project_id order by priority desc, principal_turn, queued_at, id)
    ), of_principal as (
      select *, principal_active + row_number() over principal as principal_nth,
        count(*) filter (where is_new) over (principal rows unbounded preceding) as principal_new
      from of_project
      where turn <= project_cap and (not is_new or project_runs is null or project_new <= project_runs)
      window principal as (partition by principal order by turn, ${standsSince}, id)
    ), of_all as (
      select *, row_number() over everybody as place,
        count(*) filter (where is_new) over (everybody rows unbounded preceding) as all_new
      from of_principal
      where principal_nth <= ${perPrincipal}::int
        and (not is_new or principal_runs is null or principal_new <= principal_runs)
      window everybody as (order by turn, ${standsSince}, id)
    ), chosen as (
      select id, is_new from of_all
      where place <= least(${limit}::int, ${total}::int - (select n from active_total))
        and (not is_new or all_new <= ${runsLeft}::int)
        and exists (select from workers where id = ${worker} and lease_expires_at > clock_timestamp())
    ), admitted as (
      update runs r set owner_worker = ${worker}, owner_epoch = owner_epoch + 1, waiting = false, queue_code = null,
        queue_reason = null, queue_line = null, queue_until = null, admitted_at = coalesce(admitted_at, now())
      where r.id = any(array(select id from chosen)) and r.owner_worker is null and r.waiting
      returning r.id, r.owner_epoch, r.project_id, r.principal, r.id = any(array(select id from chosen where is_new)) as is_new
    ), counted as (
      insert into usage_ledger as l (day, project_id, principal, model, runs)
      select (now() at time zone 'UTC')::date, project_id, principal, '', count(*)::int from admitted where is_new
      group by 2, 3 order by 2, 3
      on conflict (day, project_id, principal, model) do update set runs = l.runs + excluded.runs
    ), begun as (
      select s.scope, s.id, count(*)::int as n from admitted a
      cross join lateral (values ('installation', ''), ('project', a.project_id), ('principal', a.principal))
        as s (scope, id)
      where a.is_new group by 1, 2
    ), budgeted as (
      insert into budget_use as b (scope, id, per, starts, runs)
      select s.scope, s.id, p.per, date_trunc(p.per, now() at time zone 'UTC')::date, s.n
      from begun s cross join (values ('day'), ('week'), ('month')) as p (per) order by 1, 2, 3
      on conflict (scope, id, per) do update set
        starts = greatest(b.starts, excluded.starts),
        runs = case when b.starts < excluded.starts then 0 else b.runs end + excluded.runs,
        used_usd = case when b.starts < excluded.starts then 0 else b.used_usd end,
        reserved_usd = case when b.starts < excluded.starts then 0 else b.reserved_usd end,
        used_tokens = case when b.starts < excluded.starts then 0 else b.used_tokens end,
        reserved_tokens = case when b.starts < excluded.starts then 0 else b.reserved_tokens end
    )
    select id as "runId", ${worker} as worker, owner_epoch as epoch from admitted`.execute(transaction);
  return rows;
}
