import { sql, type Kysely } from 'kysely';
import type { Database } from '../database.ts';
import type { Tables } from '../tables.ts';
import { activeRuns, planForLine, standsSince } from './line.ts';

/** Where a waiting run stands, as of now. */
export interface QueuePlace {
  /** In the line of what it waits for (its project, its principal, or all), from 1. */
  readonly position: number;
  /** Seconds until it probably starts; null where the project has no history. */
  readonly etaSec: number | null;
  /** Nobody could take it: no worker has been alive since it began to wait, some seconds ago. */
  readonly noWorker: boolean;
}

/** A worker that is about to start counts as one; so long is waited before none is said to be there. */
const noWorkerAfterSec = 5;
/** Runs of a project that its median duration is taken from. */
const recentRuns = 20;

/**
 * Places of waiting runs, by run id. The order is that of admission. Computed here and not stored, because every
 * admission shifts them all: at 10,000 waiting runs this takes some tens of milliseconds, once for all runs of a page.
 * @throws BerthError `DATABASE_UNAVAILABLE`
 */
export async function queuePlaces(
  db: Database,
  runIds: readonly string[],
): Promise<ReadonlyMap<string, QueuePlace>> {
  if (runIds.length === 0) return new Map();
  const rows = await db.sql.transaction().execute(async (transaction) => {
    await planForLine(transaction);
    return placesOf(transaction, runIds);
  });
  return new Map(
    rows.map((row) => [
      row.id,
      {
        position: row.position,
        etaSec: row.eta === null ? null : Math.round(row.eta),
        noWorker: row.no_worker,
      },
    ]),
  );
}

interface PlaceRow {
  readonly id: string;
  readonly position: number;
  readonly eta: number | null;
  readonly no_worker: boolean;
}

async function placesOf(executor: Kysely<Tables>, runIds: readonly string[]): Promise<PlaceRow[]> {
  const { rows } = await sql<PlaceRow>`
    with ${activeRuns},
    in_turn as (
      select r.id, r.project_id, r.principal, r.priority, r.queued_at, r.queue_line, r.queue_until,
        coalesce(ap.n, 0) as project_active,
        coalesce(a.n, 0) + row_number() over (
          partition by r.project_id, r.principal order by priority desc, queued_at, id) as principal_turn
      from runs r
      left join active a on a.project_id = r.project_id and a.principal = r.principal
      left join active_projects ap on ap.project_id = r.project_id
      where r.waiting and r.owner_worker is null
    ), of_project as (
      select *, row_number() over (
          partition by project_id order by priority desc, principal_turn, queued_at, id) as project_place
      from in_turn
    ), placed as (
      select *, row_number() over (
          partition by principal order by project_active + project_place, ${standsSince}, id) as principal_place,
        row_number() over (order by project_active + project_place, ${standsSince}, id) as place
      from of_project
    ), asked as (
      select *, (case queue_line when 'project' then project_place when 'principal' then principal_place else place end)::int
          as position,
        greatest(1, case queue_line when 'project' then project_active
          when 'principal' then (select n from active_principals aq where aq.principal = placed.principal)
          else (select n from active_total) end) as slots
      from placed where id = any(${[...runIds]}::text[])
    ), durations as (
      select project_id, (
        select percentile_cont(0.5) within group (order by active_ms) from (
          select active_ms from runs r
          where r.project_id = p.project_id and r.state in ('succeeded', 'failed', 'needs_human')
          order by created_at desc limit ${recentRuns}) as recent) / 1000 as median_sec
      from (select distinct project_id from asked) as p
    )
    select id, position, case when queue_until is not null
        then greatest(0, extract(epoch from queue_until - clock_timestamp()))
        else position * median_sec / slots end::float8 as eta,
      queued_at < clock_timestamp() - make_interval(secs => ${noWorkerAfterSec}::int)
        and not exists (select from workers where lease_expires_at > clock_timestamp()) as no_worker
    from asked join durations using (project_id)`.execute(executor);
  return rows;
}
