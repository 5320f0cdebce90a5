import { BerthError } from '../../domain/errors/index.ts';
import type { Origin, Project, Task } from '../../domain/task.ts';
import type { Database } from '../database.ts';

/** @throws BerthError `NOT_FOUND`, `DATABASE_UNAVAILABLE` */
export async function readTask(db: Database, taskId: string): Promise<Task & { readonly project: Project }> {
  const row = await db.sql
    .selectFrom('tasks')
    .innerJoin('projects', 'projects.id', 'tasks.project_id')
    .select([
      'tasks.id',
      'project_id',
      'title',
      'text',
      'origin',
      'branch',
      'owner',
      'tasks.created_at',
      'name',
      'repository',
    ])
    .where('tasks.id', '=', taskId)
    .executeTakeFirst();
  if (row === undefined) {
    throw new BerthError('NOT_FOUND', `There is no task ${taskId}.`, {
      next: 'List what there is with `berth tasks`.',
    });
  }
  return {
    id: row.id,
    projectId: row.project_id,
    title: row.title,
    text: row.text,
    origin: row.origin as Origin,
    branch: row.branch,
    owner: row.owner,
    createdAt: row.created_at.toISOString(),
    project: { id: row.project_id, name: row.name, repository: row.repository },
  };
}
