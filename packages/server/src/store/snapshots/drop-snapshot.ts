import type { Database } from '../database.ts';

/** Forgets one snapshot. @returns its blob, or null when there was none */
export async function dropSnapshot(
  db: Database,
  of: { readonly projectId: string; readonly key: string },
): Promise<string | null> {
  const row = await db.sql
    .deleteFrom('setup_snapshots')
    .where('key', '=', of.key)
    .where('project_id', '=', of.projectId)
    .returning('blob')
    .executeTakeFirst();
  return row?.blob ?? null;
}
