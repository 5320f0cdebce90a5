import { sql } from 'kysely';
import type { Database } from '../store/database.ts';

export interface WaitingRuns {
  readonly project: string;
  readonly principal: string;
  readonly count: number;
  readonly priority?: number;
}

/**
 * Runs in line, without logs: for what counts and orders them. Each group's begin to wait after those of the group
 * before it.
 * @returns ids in the order in which they began to wait
 */
export async function insertWaiting(db: Database, groups: readonly WaitingRuns[]): Promise<string[]> {
  const ids: string[] = [];
  for (const { project, principal, count, priority = 0 } of groups) {
    const projectId = `p-${project}`;
    await sql`insert into projects (id, name, repository) values (${projectId}, ${project}, ${`/srv/${project}`})
      on conflict do nothing`.execute(db.sql);
    const { rows } = await sql<{ id: string }>`
      with made as (
        insert into tasks (id, project_id, title, text, origin, branch, owner)
        select 't-' || gen_random_uuid(), ${projectId}, 'x', 'x', '{}', 'b-' || gen_random_uuid(), ${principal}
        from generate_series(1, ${count}::int) returning id
      ), numbered as (select id, row_number() over () as n from made)
      insert into runs (id, task_id, project_id, attempt, seq, head, state, reason, since, priority, queued_at)
      select replace(id, 't-', 'r-'), id, ${projectId}, 1, 0, '', 'queued', 'Waits for a worker', now(), ${priority}::int,
        clock_timestamp() + n * interval '1 microsecond'
      from numbered order by n returning id`.execute(db.sql);
    ids.push(...rows.map((row) => row.id));
  }
  return ids;
}
