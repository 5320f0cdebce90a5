import { sql } from 'kysely';
import { BerthError } from '../../domain/errors/index.ts';
import type { VisibleProjects } from '../../domain/access.ts';
import type { RunStateName } from '../../domain/status.ts';
import type { Database } from '../database.ts';
import { runColumns, toRunRecords, type RunRecord } from './run-record.ts';

export interface RunFilter {
  readonly states?: readonly RunStateName[];
  readonly projectId?: string;
  /** Nothing outside of these projects. */
  readonly visible?: VisibleProjects;
  /** Name, id or repository of a project. */
  readonly project?: string;
  readonly taskId?: string;
  /** Only those that wait for a person's approval. */
  readonly isAtGate?: boolean;
  /** Beginning of an id, as people type it. */
  readonly idPrefix?: string;
}

export interface RunPage {
  readonly runs: readonly RunRecord[];
  /** For the next page; null: this was the last. */
  readonly cursor: string | null;
}

/**
 * Runs, newest first. Pages do not shift when runs are added.
 * @throws BerthError `USAGE` for a cursor that is none of ours, `DATABASE_UNAVAILABLE`
 */
export async function listRuns(
  db: Database,
  options: { readonly filter?: RunFilter; readonly cursor?: string; readonly limit: number },
): Promise<RunPage> {
  const { filter = {}, cursor, limit } = options;
  let query = db.sql
    .selectFrom('runs')
    .innerJoin('tasks', 'tasks.id', 'runs.task_id')
    .select(runColumns)
    .orderBy('runs.created_at', 'desc')
    .orderBy('runs.id', 'desc')
    .limit(limit + 1);
  if (filter.states !== undefined) query = query.where('runs.state', 'in', [...filter.states]);
  const { visible = 'all' } = filter;
  if (visible !== 'all') query = query.where('runs.project_id', '=', sql<string>`any(${[...visible]})`);
  if (filter.projectId !== undefined) query = query.where('runs.project_id', '=', filter.projectId);
  if (filter.project !== undefined) {
    const { project } = filter;
    query = query.where((where) =>
      where(
        'runs.project_id',
        'in',
        where
          .selectFrom('projects')
          .select('projects.id')
          .where((either) =>
            either.or([
              either('projects.name', '=', project),
              either('projects.id', '=', project),
              either('projects.repository', '=', project),
            ]),
          ),
      ),
    );
  }
  if (filter.isAtGate === true) query = query.where('runs.gate_expires_at', 'is not', null);
  if (filter.taskId !== undefined) query = query.where('runs.task_id', '=', filter.taskId);
  if (filter.idPrefix !== undefined) {
    query = query.where('runs.id', 'like', `${filter.idPrefix.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`);
  }
  if (cursor !== undefined) {
    const { createdAt, id } = decodeCursor(cursor);
    query = query.where((where) =>
      where(where.refTuple('runs.created_at', 'runs.id'), '<', where.tuple(createdAt, id)),
    );
  }
  const rows = await query.execute();
  const runs = await toRunRecords(db, rows.slice(0, limit));
  const last = runs.at(-1);
  return { runs, cursor: rows.length > limit && last !== undefined ? encodeCursor(last) : null };
}

function encodeCursor(run: RunRecord): string {
  return Buffer.from(`${run.createdAt} ${run.id}`).toString('base64url');
}

function decodeCursor(cursor: string): { createdAt: Date; id: string } {
  const [at = '', id = ''] = Buffer.from(cursor, 'base64url').toString('utf8').split(' ');
  const createdAt = new Date(at);
  if (Number.isNaN(createdAt.getTime()) || id === '')
    throw new BerthError('USAGE', 'The cursor is not valid.');
  return { createdAt, id };
}
