import type { Database } from '../database.ts';

export interface ListedSnapshot {
  readonly key: string;
  readonly runId: string;
  readonly files: number;
  readonly bytes: number;
  readonly storedBytes: number;
  readonly madeAt: string;
  readonly lastUsedAt: string;
}

/** A project's snapshots, newest use first. */
export async function listSnapshots(db: Database, projectId: string): Promise<ListedSnapshot[]> {
  const rows = await db.sql
    .selectFrom('setup_snapshots')
    .select(['key', 'run_id', 'files', 'bytes', 'stored_bytes', 'made_at', 'last_used_at'])
    .where('project_id', '=', projectId)
    .orderBy('last_used_at', 'desc')
    .orderBy('key')
    .execute();
  return rows.map((row) => ({
    key: row.key,
    runId: row.run_id,
    files: row.files,
    bytes: Number(row.bytes),
    storedBytes: Number(row.stored_bytes),
    madeAt: row.made_at.toISOString(),
    lastUsedAt: row.last_used_at.toISOString(),
  }));
}
