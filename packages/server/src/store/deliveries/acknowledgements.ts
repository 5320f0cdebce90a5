import { sql } from 'kysely';
import type { RunStateName } from '../../domain/status.ts';
import type { Database } from '../database.ts';

/** How a task of a forge's object stands, for the comment there. */
export interface DueAcknowledgement {
  readonly taskId: string;
  readonly projectId: string;
  readonly repository: string;
  readonly number: number;
  readonly told: string | null;
  readonly attempts: number;
  readonly runId: string;
  readonly state: RunStateName;
  readonly code: string | null;
  readonly pullRequestUrl: string | null;
}

/** Nobody else takes one for so long. */
const holdS = 60;

/** Has a task's comment written and kept up; once for each task. */
export async function acknowledge(
  db: Database,
  {
    taskId,
    projectId,
    number,
  }: { readonly taskId: string; readonly projectId: string; readonly number: number },
): Promise<void> {
  await db.sql
    .insertInto('trigger_acknowledgements')
    .values({ task_id: taskId, project_id: projectId, number, told: null, due_at: new Date(0) })
    .onConflict((conflict) => conflict.column('task_id').doNothing())
    .execute();
}

/** Takes what is due, for this caller alone until `holdS` have passed. */
export async function takeAcknowledgements(db: Database, limit: number): Promise<DueAcknowledgement[]> {
  const { rows } = await sql<DueAcknowledgement>`
    with due as (
      select task_id from trigger_acknowledgements where due_at <= clock_timestamp()
      order by due_at limit ${limit} for update skip locked
    ), taken as (
      update trigger_acknowledgements a
      set due_at = clock_timestamp() + ${holdS} * interval '1 second', attempts = attempts + 1
      from due where a.task_id = due.task_id
      returning a.task_id, a.project_id, a.number, a.told, a.attempts
    )
    select t.task_id as "taskId", t.project_id as "projectId", p.repository, t.number, t.told, t.attempts,
      r.id as "runId", r.state, r.code, r.pull_request ->> 'url' as "pullRequestUrl"
    from taken t join projects p on p.id = t.project_id
    join lateral (select id, state, code, pull_request from runs where runs.task_id = t.task_id
      order by attempt desc limit 1) r on true`.execute(db.sql);
  return rows;
}

/** @param next when to look again; null: all is said */
export async function noteAcknowledged(
  db: Database,
  taskId: string,
  note: { readonly told: string | null; readonly nextMs: number | null; readonly failed: boolean },
): Promise<void> {
  await sql`update trigger_acknowledgements set told = ${note.told},
      attempts = case when ${note.failed} then attempts else 0 end,
      due_at = clock_timestamp() + ${note.nextMs} * interval '1 millisecond'
    where task_id = ${taskId}`.execute(db.sql);
}
