import { sql } from 'kysely';
import { newId } from '../../domain/ids.ts';
import type { Project } from '../../domain/task.ts';
import type { Database } from '../database.ts';

/** Two that make projects of one name at the same moment: the second looks again. */
const attempts = 3;

/**
 * The project of a repository (a URL, or an absolute path), made when there is none. Names are unique: where another
 * repository has the wanted one already, the end of the id is put behind it.
 */
export async function ensureProject(
  db: Database,
  wanted: { readonly name: string; readonly repository: string },
): Promise<Project> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await insertProject(db, wanted);
    } catch (error) {
      if (attempt >= attempts || !isNameTaken(error)) throw error;
    }
  }
}

async function insertProject(
  db: Database,
  wanted: { readonly name: string; readonly repository: string },
): Promise<Project> {
  const id = newId('p', db.clock.nowMs());
  const name = sql<string>`case when exists (
    select 1 from projects where name = ${wanted.name} and repository <> ${wanted.repository}
  ) then ${`${wanted.name}-${id.slice(-6)}`} else ${wanted.name} end`;
  return (
    db.sql
      .insertInto('projects')
      .values({ id, name, repository: wanted.repository })
      // An update that changes nothing, so that the row comes back.
      .onConflict((conflict) => conflict.column('repository').doUpdateSet({ repository: wanted.repository }))
      .returning(['id', 'name', 'repository'])
      .executeTakeFirstOrThrow()
  );
}

function isNameTaken(error: unknown): boolean {
  return error instanceof Error && 'constraint' in error && error.constraint === 'projects_by_name';
}
