import { sql } from 'kysely';
import type { Database } from '../database.ts';
import type { Ownership } from './claim-run.ts';

/** Any number: it only has to be the same in every Berth, and differ from the migrations' lock. */
const admissionLock = 7_266_002;

export interface AdmissionCaps {
  /** Runs with an owner, over all workers. */
  readonly total: number;
  readonly perProject: number;
}

/**
 * Gives waiting runs to `worker`, at most `limit`: in turn over the projects, the one with the fewest active runs
 * first, the oldest of a project first, and within the caps. Those that go on waiting get reason and position.
 * @throws BerthError `DATABASE_UNAVAILABLE`
 */
export async function admitRuns(
  db: Database,
  options: { readonly worker: string; readonly caps: AdmissionCaps; readonly limit: number },
): Promise<Ownership[]> {
  const { worker, caps, limit } = options;
  return db.sql.transaction().execute(async (transaction) => {
    // Before the statement, so that its snapshot sees what the last holder did.
    await sql`select pg_advisory_xact_lock(${admissionLock})`.execute(transaction);
    const { rows } = await sql<Ownership & { admitted: boolean }>`
      with active as (
        select project_id, count(*)::int as n from runs where owner_worker is not null group by project_id
      ), waiting as (
        select id, project_id, queued_at,
          coalesce(active.n, 0) + row_number() over (partition by project_id order by queued_at, id) as turn
        from runs left join active using (project_id)
        where waiting and owner_worker is null
      ), ranked as (
        select id, turn <= ${caps.perProject} as fits_project,
          row_number() over (order by turn, queued_at, id)::int as place,
          row_number() over (partition by turn <= ${caps.perProject} order by turn, queued_at, id) as fitting_place
        from waiting
      ), decided as (
        select id, place, case
            when not fits_project then 'QUEUE_PROJECT_CAP'
            when fitting_place > ${caps.total} - (select coalesce(sum(n), 0) from active) then 'QUEUE_TOTAL_CAP'
            when fitting_place > ${limit} then 'QUEUE_TURN'
            when not exists (select from workers where id = ${worker} and lease_expires_at > clock_timestamp())
              then 'QUEUE_TURN'
          end as queue_code
        from ranked
      ), placed as (
        select id, queue_code,
          (place - count(*) filter (where queue_code is null) over (order by place))::int as position
        from decided
      )
      update runs set
        owner_worker = case when placed.queue_code is null then ${worker} end,
        owner_epoch = owner_epoch + case when placed.queue_code is null then 1 else 0 end,
        waiting = placed.queue_code is not null,
        queue_code = placed.queue_code,
        queue_position = case when placed.queue_code is not null then placed.position end
      from placed
      where runs.id = placed.id and runs.owner_worker is null and runs.waiting
        and (placed.queue_code is null or runs.queue_code is distinct from placed.queue_code
          or runs.queue_position is distinct from placed.position)
      returning runs.id as "runId", owner_worker as worker, owner_epoch as epoch,
        placed.queue_code is null as admitted`.execute(transaction);
    return rows.filter((row) => row.admitted).map(({ runId, epoch }) => ({ runId, worker, epoch }));
  });
}
