import { sql } from 'kysely';
import type { Database } from '../database.ts';

/**
 * Forgets what was not used for so many days, and of each project what is beyond so many, the longest unused first.
 * @returns their blobs
 */
export async function expireSnapshots(
  db: Database,
  rule: { readonly unusedDays: number; readonly mostPerProject: number },
): Promise<string[]> {
  const { rows } = await sql<{ blob: string }>`
    delete from setup_snapshots where key in (
      select key from (
        select key, last_used_at,
          row_number() over (partition by project_id order by last_used_at desc, key) as place
        from setup_snapshots
      ) ranked
      where place > ${rule.mostPerProject} or last_used_at < now() - make_interval(days => ${rule.unusedDays})
    ) returning blob`.execute(db.sql);
  return rows.map(({ blob }) => blob);
}
