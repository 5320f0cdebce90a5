import { sql } from 'kysely';
import type { Database } from '../store/database.ts';
import { readEvents } from '../store/events/read-events.ts';

/**
 * Everybody whose wish a task's runs are: whose it is, who handed it in (a service may act for a person), who asked for
 * another attempt or for a schedule to fire, and where it was branched off, all of those of the task that it comes from.
 * @returns principal ids, each once
 * @throws BerthError `DATABASE_UNAVAILABLE`
 */
export async function requestersOf(db: Database, taskId: string): Promise<string[]> {
  const { rows } = await sql<{ owner: string; by: string; asked: string | null; attempts: string[] | null }>`
    with recursive origins (task_id) as (
      select ${taskId}::text
      union
      select earlier.task_id from origins
        join runs on runs.task_id = origins.task_id
        join runs earlier on earlier.id = runs.parent
    )
    select owner, origin ->> 'by' as by,
      -- A task that was asked of a schedule has the firing as its key; the firing is written before it.
      (select by from schedule_firings where kind = 'asked' and origin ->> 'kind' = 'schedule' and idempotency_key =
        'asked:' || schedule || ':' || to_char(planned_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) as asked,
      (select array_agg(id order by id) from runs where task_id = tasks.id and parent is not null) as attempts
    from tasks join origins on origins.task_id = tasks.id order by tasks.id desc`.execute(db.sql);
  const found = new Set(
    rows.flatMap(({ owner, by, asked }) => [owner, by, ...(asked === null ? [] : [asked])]),
  );
  // Who asked for an attempt stands in its log, where nobody changes it.
  for (const runId of rows.flatMap(({ attempts }) => attempts ?? [])) {
    const [created] = await readEvents(db, runId, { types: ['run.created'], limit: 1 });
    if (created?.type === 'run.created' && created.data.parent?.by !== undefined) {
      found.add(created.data.parent.by);
    }
  }
  return [...found];
}
