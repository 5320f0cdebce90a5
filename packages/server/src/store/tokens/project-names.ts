import { sql } from 'kysely';
import type { Database } from '../database.ts';

/** Projects by any of these names, ids or repositories. */
export async function findProjects(
  db: Database,
  by: {
    readonly names?: readonly string[];
    readonly ids?: readonly string[];
    readonly repositories?: readonly string[];
  },
): Promise<readonly { readonly id: string; readonly name: string; readonly repository: string }[]> {
  const { names = [], ids = [], repositories = [] } = by;
  if (names.length + ids.length + repositories.length === 0) return [];
  return db.sql
    .selectFrom('projects')
    .select(['id', 'name', 'repository'])
    .where((either) =>
      either.or([
        either('name', '=', sql<string>`any(${[...names]})`),
        either('id', '=', sql<string>`any(${[...ids]})`),
        either('repository', '=', sql<string>`any(${[...repositories]})`),
      ]),
    )
    .execute();
}
