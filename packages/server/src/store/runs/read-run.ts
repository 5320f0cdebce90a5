import { sql } from 'kysely';
import { BerthError } from '../../domain/errors/index.ts';
import { batchesOf } from '../batches.ts';
import type { Database } from '../database.ts';
import { runColumns, toRunRecords, type RunRecord } from './run-record.ts';

/** @throws BerthError `NOT_FOUND`, `DATABASE_UNAVAILABLE` */
export async function readRun(db: Database, runId: string): Promise<RunRecord> {
  return readingsOf(db).do(runId);
}

/** Looks that come while one is under way share the next. */
const readingsOf = batchesOf<string, RunRecord>((db) => ({
  async together(runIds) {
    const found = await readRuns(db, runIds);
    return runIds.map((runId) => found.get(runId) ?? null);
  },
  async alone(runId) {
    const record = (await readRuns(db, [runId])).get(runId);
    if (record === undefined) throw new BerthError('NOT_FOUND', `There is no run ${runId}.`);
    return record;
  },
}));

async function readRuns(db: Database, runIds: readonly string[]): Promise<ReadonlyMap<string, RunRecord>> {
  const rows = await db.sql
    .selectFrom('runs')
    .innerJoin('tasks', 'tasks.id', 'runs.task_id')
    .select(runColumns)
    .where('runs.id', '=', sql<string>`any(${[...runIds]}::text[])`)
    .execute();
  return new Map((await toRunRecords(db, rows)).map((record) => [record.id, record]));
}
