import type { Database } from '../database.ts';

/** Where a run belongs: what decides who may see it. */
export interface RunPlace {
  readonly id: string;
  readonly projectId: string;
  /** Principal id whose the task is. */
  readonly ownerId: string;
}

/** Asked for every request about a run, so it reads no more than that. Null: there is none. @throws BerthError `DATABASE_UNAVAILABLE` */
export async function readPlace(db: Database, runId: string): Promise<RunPlace | null> {
  const row = await db.sql
    .selectFrom('runs')
    .innerJoin('tasks', 'tasks.id', 'runs.task_id')
    .select(['runs.id', 'runs.project_id as projectId', 'tasks.owner as ownerId'])
    .where('runs.id', '=', runId)
    .executeTakeFirst();
  return row ?? null;
}
