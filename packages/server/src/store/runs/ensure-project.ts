import { newId } from '../../domain/ids.ts';
import type { Project } from '../../domain/task.ts';
import type { Database } from '../database.ts';

/** The project of a repository (a URL, or an absolute path), made when there is none. */
export async function ensureProject(
  db: Database,
  wanted: { readonly name: string; readonly repository: string },
): Promise<Project> {
  const row = await db.sql
    .insertInto('projects')
    .values({ id: newId('p', db.clock.nowMs()), ...wanted })
    // An update that changes nothing, so that the row comes back.
    .onConflict((conflict) => conflict.column('repository').doUpdateSet({ repository: wanted.repository }))
    .returning(['id', 'name', 'repository'])
    .executeTakeFirstOrThrow();
  return row;
}
