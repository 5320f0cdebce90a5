import { BerthError } from '../../domain/errors/index.ts';
import type { Database } from '../database.ts';
import { runColumns, toRunRecords, type RunRecord } from './run-record.ts';

/** @throws BerthError `NOT_FOUND`, `DATABASE_UNAVAILABLE` */
export async function readRun(db: Database, runId: string): Promise<RunRecord> {
  const row = await db.sql
    .selectFrom('runs')
    .innerJoin('tasks', 'tasks.id', 'runs.task_id')
    .select(runColumns)
    .where('runs.id', '=', runId)
    .executeTakeFirst();
  if (row === undefined) throw new BerthError('NOT_FOUND', `There is no run ${runId}.`);
  const [record] = await toRunRecords(db, [row]);
  return record!;
}
