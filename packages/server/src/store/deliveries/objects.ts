import { sql } from 'kysely';
import type { Database } from '../database.ts';

/**
 * Makes the one task of an object of a forge, or finds it. All who come for the same key, on whatever replica and by
 * whatever trigger, take turns; after a crash between task and note the task is found by its own key.
 * @param make has to give the task `key` as its idempotency key
 * @throws what `make` throws; nothing is noted then, and the next one tries
 */
export async function taskOfObject(
  db: Database,
  object: { readonly key: string; readonly projectId: string },
  make: () => Promise<string>,
): Promise<{ readonly taskId: string; readonly isNew: boolean }> {
  const { key, projectId } = object;
  await db.sql
    .insertInto('trigger_objects')
    .values({ key, task_id: null, first_seen_at: new Date(db.clock.nowMs()) })
    .onConflict((conflict) => conflict.column('key').doNothing())
    .execute();
  return db.sql.transaction().execute(async (transaction) => {
    const row = await transaction
      .selectFrom('trigger_objects')
      .select('task_id')
      .where('key', '=', key)
      .forUpdate()
      .executeTakeFirstOrThrow();
    if (row.task_id !== null) return { taskId: row.task_id, isNew: false };
    const { rows } = await sql<{ id: string }>`
      select id from tasks where idempotency_key = ${key} and idempotency_key like 'forge:%'
        and project_id = ${projectId} and origin ->> 'kind' = 'forge' and origin ->> 'by' like 'trigger:%'
      order by created_at limit 1`.execute(transaction);
    const before = rows[0]?.id ?? null;
    const taskId = before ?? (await make());
    await transaction
      .updateTable('trigger_objects')
      .set({ task_id: taskId })
      .where('key', '=', key)
      .execute();
    return { taskId, isNew: before === null };
  });
}

/** The task that an object has; null: none yet. */
export async function knownTaskOfObject(db: Database, key: string): Promise<string | null> {
  const row = await db.sql
    .selectFrom('trigger_objects')
    .select('task_id')
    .where('key', '=', key)
    .executeTakeFirst();
  return row?.task_id ?? null;
}
