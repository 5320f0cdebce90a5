import { sql } from 'kysely';
import type { VisibleProjects } from '../../domain/access.ts';
import type { Project } from '../../domain/task.ts';
import type { Database } from '../database.ts';

/** A project by id, name or repository, among the visible ones; the id wins where a name looks like one. */
export async function findProject(
  db: Database,
  text: string,
  visible: VisibleProjects = 'all',
): Promise<Project | null> {
  let query = db.sql
    .selectFrom('projects')
    .select(['id', 'name', 'repository'])
    .where((either) =>
      either.or([either('id', '=', text), either('name', '=', text), either('repository', '=', text)]),
    )
    .orderBy(sql`id = ${text}`, 'desc')
    .orderBy('id')
    .limit(1);
  if (visible !== 'all') query = query.where('id', '=', sql<string>`any(${[...visible]})`);
  return (await query.executeTakeFirst()) ?? null;
}
