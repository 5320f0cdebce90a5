import { sql } from 'kysely';
import { batchesOf } from '../batches.ts';
import type { Database } from '../database.ts';

/** Where a run belongs: what decides who may see it. */
export interface RunPlace {
  readonly id: string;
  readonly projectId: string;
  /** Principal id whose the task is. */
  readonly ownerId: string;
}

/**
 * Asked for every request about a run, so it reads no more than that. Null: there is none.
 * @throws BerthError `DATABASE_UNAVAILABLE`
 */
export async function readPlace(db: Database, runId: string): Promise<RunPlace | null> {
  return (await placesOf(db).do(runId)).place;
}

/** Looks that come while one is under way share the next. */
const placesOf = batchesOf<string, { readonly place: RunPlace | null }>((db) => {
  const together = async (runIds: readonly string[]) => {
    const rows = await db.sql
      .selectFrom('runs')
      .innerJoin('tasks', 'tasks.id', 'runs.task_id')
      .select(['runs.id', 'runs.project_id as projectId', 'tasks.owner as ownerId'])
      .where('runs.id', '=', sql<string>`any(${[...runIds]}::text[])`)
      .execute();
    const found = new Map(rows.map((row) => [row.id, row]));
    return runIds.map((runId) => ({ place: found.get(runId) ?? null }));
  };
  return { together, alone: async (runId) => (await together([runId]))[0] ?? { place: null } };
});
