import { sql } from 'kysely';
import type { Database } from '../database.ts';

/** How many snapshots are kept, of all projects together, and what they take. */
export async function countSnapshots(
  db: Database,
): Promise<{ readonly count: number; readonly storedBytes: number }> {
  const { rows } = await sql<{ count: string; bytes: string }>`
    select count(*) as count, coalesce(sum(stored_bytes), 0) as bytes from setup_snapshots`.execute(db.sql);
  return { count: Number(rows[0]?.count ?? 0), storedBytes: Number(rows[0]?.bytes ?? 0) };
}
