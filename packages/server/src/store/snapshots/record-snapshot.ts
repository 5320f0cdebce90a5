import type { Database } from '../database.ts';

export interface NewSnapshot {
  readonly key: string;
  readonly projectId: string;
  readonly runId: string;
  readonly blob: string;
  readonly files: number;
  readonly bytes: number;
  readonly storedBytes: number;
}

/** @returns false when there is one of that key: of two made at once, the first counts */
export async function recordSnapshot(db: Database, made: NewSnapshot): Promise<boolean> {
  const row = await db.sql
    .insertInto('setup_snapshots')
    .values({
      key: made.key,
      project_id: made.projectId,
      run_id: made.runId,
      blob: made.blob,
      files: made.files,
      bytes: made.bytes,
      stored_bytes: made.storedBytes,
    })
    .onConflict((conflict) => conflict.column('key').doNothing())
    .returning('key')
    .executeTakeFirst();
  return row !== undefined;
}
