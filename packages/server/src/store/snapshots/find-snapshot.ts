import { sql } from 'kysely';
import type { Database } from '../database.ts';

export interface SnapshotRow {
  readonly blob: string;
  readonly files: number;
  readonly bytes: number;
}

/** The project's snapshot of that key, marked as used now; null when there is none. */
export async function findSnapshot(
  db: Database,
  of: { readonly projectId: string; readonly key: string },
): Promise<SnapshotRow | null> {
  const row = await db.sql
    .updateTable('setup_snapshots')
    .set({ last_used_at: sql<Date>`now()` })
    .where('key', '=', of.key)
    .where('project_id', '=', of.projectId)
    .returning(['blob', 'files', 'bytes'])
    .executeTakeFirst();
  return row === undefined ? null : { blob: row.blob, files: row.files, bytes: Number(row.bytes) };
}
