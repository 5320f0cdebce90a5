import { sql, type Transaction } from 'kysely';
import { newId } from '../../domain/ids.ts';
import type { Tables } from '../tables.ts';

/**
 * Makes the rows of the configured projects: one per repository, with the configured name. Whoever else has that name
 * gives it up (the end of its id is put behind it), because rights go by names. A project that vanished from the
 * configuration keeps its row, name and history.
 */
export async function applyProjects(
  transaction: Transaction<Tables>,
  projects: readonly { readonly name: string; readonly repository: string }[],
  nowMs: number,
): Promise<void> {
  await transaction
    .updateTable('projects')
    .set({ configured: false })
    .where('configured', '=', true)
    .where('repository', '<>', sql<string>`all(${projects.map((project) => project.repository)}::text[])`)
    .execute();
  for (const { name, repository } of projects) {
    await transaction
      .updateTable('projects')
      .set({ name: sql`name || '-' || right(id, 6)` })
      .where('name', '=', name)
      .where('repository', '<>', repository)
      .execute();
    await transaction
      .insertInto('projects')
      .values({ id: newId('p', nowMs), name, repository, configured: true })
      .onConflict((conflict) => conflict.column('repository').doUpdateSet({ name, configured: true }))
      .execute();
  }
}
