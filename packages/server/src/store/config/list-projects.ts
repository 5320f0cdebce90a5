import { sql } from 'kysely';
import type { VisibleProjects } from '../../domain/access.ts';
import type { Database } from '../database.ts';

export interface ProjectRow {
  readonly id: string;
  readonly name: string;
  readonly repository: string;
  readonly createdAt: string;
  /** Whether the configuration names it now. */
  readonly configured: boolean;
}

/** Projects by name, among the visible ones. */
export async function listProjects(
  db: Database,
  page: { readonly visible: VisibleProjects; readonly after?: string; readonly limit: number },
): Promise<readonly ProjectRow[]> {
  let query = db.sql
    .selectFrom('projects')
    .select(['id', 'name', 'repository', 'created_at', 'configured'])
    .orderBy('name')
    .limit(page.limit);
  if (page.after !== undefined) query = query.where('name', '>', page.after);
  if (page.visible !== 'all') query = query.where('id', '=', sql<string>`any(${[...page.visible]})`);
  return (await query.execute()).map(({ created_at, ...row }) => ({
    ...row,
    createdAt: created_at.toISOString(),
  }));
}

export async function readProject(db: Database, id: string): Promise<ProjectRow | null> {
  const [row] = await db.sql
    .selectFrom('projects')
    .select(['id', 'name', 'repository', 'created_at', 'configured'])
    .where('id', '=', id)
    .execute();
  if (row === undefined) return null;
  const { created_at, ...rest } = row;
  return { ...rest, createdAt: created_at.toISOString() };
}
