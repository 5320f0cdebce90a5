import type { Database } from '../database.ts';

/** Forgets all snapshots of a project. @returns their blobs, which may be of others too, and what they took */
export async function clearSnapshots(
  db: Database,
  projectId: string,
): Promise<readonly { readonly blob: string; readonly storedBytes: number }[]> {
  const rows = await db.sql
    .deleteFrom('setup_snapshots')
    .where('project_id', '=', projectId)
    .returning(['blob', 'stored_bytes'])
    .execute();
  return rows.map((row) => ({ blob: row.blob, storedBytes: Number(row.stored_bytes) }));
}
