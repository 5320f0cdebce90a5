import type { Config } from '../../domain/config/index.ts';
import type { Database } from '../../store/database.ts';

/**
 * Ids of the projects that grants can name. Names are not unique among projects that came into being by themselves:
 * a configured project is the one with its repository, and another name that fits several counts for nothing, or
 * whoever may bring a repository could choose whose rights apply to it.
 */
export async function projectIdsByName(
  db: Database,
  config: Config,
  names: readonly string[],
): Promise<Readonly<Record<string, string>>> {
  if (names.length === 0) return {};
  const rows = await db.sql
    .selectFrom('projects')
    .select(['id', 'name', 'repository'])
    .where('name', 'in', [...names])
    .execute();
  const ids: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const name of names) {
    const repository = config.projects.find((one) => one.name === name)?.repository;
    const fitting = rows.filter(
      (row) => row.name === name && (repository === undefined || row.repository === repository),
    );
    if (fitting.length === 1) ids[name] = fitting[0]!.id;
  }
  return ids;
}
