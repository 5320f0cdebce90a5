import type { Database } from '../database.ts';

/** Those of the blobs that a snapshot still names. */
export async function usedBlobs(db: Database, blobs: readonly string[]): Promise<string[]> {
  if (blobs.length === 0) return [];
  const rows = await db.sql
    .selectFrom('setup_snapshots')
    .select('blob')
    .distinct()
    .where('blob', 'in', [...blobs])
    .execute();
  return rows.map(({ blob }) => blob);
}
