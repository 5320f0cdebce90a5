import { sql } from 'kysely';
import type { Database } from '../database.ts';

export interface SnapshotRetention {
  readonly unusedDays: number;
  readonly mostPerProject: number;
  /** Of what is stored. */
  readonly mostBytesPerProject: number;
  readonly mostBytes: number;
}

/** What was not used for so long, or is beyond so much of its project or of all, makes room. */
export const snapshotRetention: SnapshotRetention = {
  unusedDays: 14,
  mostPerProject: 5,
  mostBytesPerProject: 4 * 1024 ** 3,
  mostBytes: 32 * 1024 ** 3,
};

/**
 * Forgets what was not used for so many days, and, the longest unused first, what of each project is beyond so many or so
 * many bytes, and what of all that then remain is beyond so many bytes.
 * @returns their blobs
 */
export async function expireSnapshots(db: Database, rule: SnapshotRetention): Promise<string[]> {
  const { rows } = await sql<{ blob: string }>`
    with ranked as (
      select key, project_id, last_used_at, stored_bytes,
        row_number() over of_project as place,
        sum(stored_bytes) over of_project as project_bytes
      from setup_snapshots
      window of_project as (partition by project_id order by last_used_at desc, key rows unbounded preceding)
    ), within as (
      select key, sum(stored_bytes) over (order by last_used_at desc, key rows unbounded preceding) as all_bytes
      from ranked
      where place <= ${rule.mostPerProject} and project_bytes <= ${rule.mostBytesPerProject}
        and last_used_at >= now() - make_interval(secs => ${rule.unusedDays * 86_400})
    )
    delete from setup_snapshots
    where key not in (select key from within where all_bytes <= ${rule.mostBytes})
    returning blob`.execute(db.sql);
  return rows.map(({ blob }) => blob);
}
