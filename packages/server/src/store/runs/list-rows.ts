import { sql, type SelectQueryBuilder } from 'kysely';
import type { VisibleProjects } from '../../domain/access.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { RunFilter } from '../../domain/run-filter.ts';
import type { Database } from '../database.ts';
import type { Tables } from '../tables.ts';
import { runColumns, toRunRecords, type RunRecord, type RunRow } from './run-record.ts';

export interface ListedRun {
  readonly record: RunRecord;
  /** Name of its project. */
  readonly project: string;
}

export interface ListedTask extends ListedRun {
  /** Runs so far; `record` is the newest of them. */
  readonly attempts: number;
  /** Of all its runs. */
  readonly costUsd: number;
  readonly createdAt: string;
}

export interface ListOptions {
  readonly visible: VisibleProjects;
  readonly filter: RunFilter;
  readonly cursor?: string;
  /** 1 to 200. */
  readonly limit: number;
}

type Rows = SelectQueryBuilder<Tables, 'runs' | 'tasks' | 'projects', object>;

/**
 * Runs, newest first; pages do not shift when runs are added, and nothing is counted.
 * @throws BerthError `CURSOR_INVALID`, `DATABASE_UNAVAILABLE`
 */
export async function listRunRows(
  db: Database,
  options: ListOptions,
): Promise<{ readonly rows: readonly ListedRun[]; readonly next: string | null }> {
  const { filter, limit } = options;
  let query = narrowed(joined(db), options);
  const { sinceMs, untilMs } = filter;
  if (sinceMs !== null) query = query.where('runs.created_at', '>=', new Date(sinceMs));
  if (untilMs !== null) query = query.where('runs.created_at', '<=', new Date(untilMs));
  for (const { than, usd } of filter.cost) query = query.where('runs.cost_usd', than, usd);
  if (options.cursor !== undefined) {
    const { at, id } = decodeCursor(options.cursor, 'r');
    query = query.where((where) =>
      where(where.refTuple('runs.created_at', 'runs.id'), '<', where.tuple(at, id)),
    );
  }
  const found: readonly (RunRow & { project: string })[] = await query
    .select([...runColumns, 'projects.name as project'])
    .orderBy('runs.created_at', 'desc')
    .orderBy('runs.id', 'desc')
    .limit(limit + 1)
    .execute();
  const shown = found.slice(0, limit);
  const records = await toRunRecords(db, shown);
  const rows = shown.map((row, place) => ({ record: records[place]!, project: row.project }));
  const last = rows.at(-1)?.record;
  const next = found.length > limit && last !== undefined ? encodeCursor('r', last.createdAt, last.id) : null;
  return { rows, next };
}

/**
 * Tasks, newest first, each with its newest run, by which filters of states and codes judge.
 * @throws BerthError `CURSOR_INVALID`, `DATABASE_UNAVAILABLE`
 */
export async function listTaskRows(
  db: Database,
  options: ListOptions,
): Promise<{ readonly rows: readonly ListedTask[]; readonly next: string | null }> {
  const { filter, limit } = options;
  // No other run of the task is newer: an index look-up per task, not a sort of all runs.
  let query = narrowed(joined(db), options).where(
    sql<boolean>`not exists (select from runs newer where newer.task_id = runs.task_id
      and (newer.attempt, newer.created_at, newer.id) > (runs.attempt, runs.created_at, runs.id))`,
  );
  const { sinceMs, untilMs } = filter;
  if (sinceMs !== null) query = query.where('tasks.created_at', '>=', new Date(sinceMs));
  if (untilMs !== null) query = query.where('tasks.created_at', '<=', new Date(untilMs));
  const cost = sql<number>`(select sum(every.cost_usd) from runs every where every.task_id = tasks.id)`;
  for (const { than, usd } of filter.cost) query = query.where(cost, than, usd);
  if (options.cursor !== undefined) {
    const { at, id } = decodeCursor(options.cursor, 't');
    query = query.where((where) =>
      where(where.refTuple('tasks.created_at', 'tasks.id'), '<', where.tuple(at, id)),
    );
  }
  const found: readonly (RunRow & {
    project: string;
    attempts: number;
    task_cost: number;
    task_created: Date;
  })[] = await query
    .select([
      ...runColumns,
      'projects.name as project',
      'tasks.created_at as task_created',
      sql<number>`(select count(*)::int from runs every where every.task_id = tasks.id)`.as('attempts'),
      cost.as('task_cost'),
    ])
    .orderBy('tasks.created_at', 'desc')
    .orderBy('tasks.id', 'desc')
    .limit(limit + 1)
    .execute();
  const shown = found.slice(0, limit);
  const records = await toRunRecords(db, shown);
  const rows = shown.map((row, place) => ({
    record: records[place]!,
    project: row.project,
    attempts: row.attempts,
    costUsd: row.task_cost,
    createdAt: row.task_created.toISOString(),
  }));
  const last = rows.at(-1);
  const next =
    found.length > limit && last !== undefined ? encodeCursor('t', last.createdAt, last.record.taskId) : null;
  return { rows, next };
}

function joined(db: Database): Rows {
  return db.sql
    .selectFrom('runs')
    .innerJoin('tasks', 'tasks.id', 'runs.task_id')
    .innerJoin('projects', 'projects.id', 'runs.project_id');
}

/** What both lists are narrowed by in the same way. */
function narrowed(rows: Rows, { visible, filter }: ListOptions): Rows {
  let query = rows;
  if (visible !== 'all') query = query.where('runs.project_id', '=', sql<string>`any(${[...visible]})`);
  const { states, codes, projects, origins, by, owners, tasks, words, hasPullRequest } = filter;
  if (states.length > 0) query = query.where('runs.state', 'in', [...states]);
  // A run that waits says its reason in the code of the queue.
  if (codes.length > 0) {
    query = query.where(
      sql<string>`case when runs.waiting and runs.owner_worker is null then coalesce(runs.queue_code, runs.code) else runs.code end`,
      'in',
      [...codes],
    );
  }
  if (projects.length > 0) {
    query = query.where((either) =>
      either.or([
        either('projects.id', 'in', [...projects]),
        either('projects.name', 'in', [...projects]),
        either('projects.repository', 'in', [...projects]),
      ]),
    );
  }
  if (origins.length > 0) query = query.where(sql<string>`tasks.origin ->> 'kind'`, 'in', [...origins]);
  if (owners.length > 0) query = query.where('tasks.owner', 'in', [...owners]);
  if (by.length > 0) {
    query = query.where((either) =>
      either.or([
        either('tasks.owner', 'in', [...by]),
        either(sql<string>`tasks.origin ->> 'by'`, 'in', [...by]),
      ]),
    );
  }
  if (tasks.length > 0) query = query.where('tasks.id', 'in', [...tasks]);
  for (const word of words) {
    query = query.where('tasks.title', 'ilike', `%${word.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`);
  }
  if (hasPullRequest !== null) {
    query = query.where('runs.pull_request', hasPullRequest ? 'is not' : 'is', null);
  }
  return query;
}

function encodeCursor(kind: 'r' | 't', at: string, id: string): string {
  return Buffer.from(`${kind} ${at} ${id}`).toString('base64url');
}

function decodeCursor(cursor: string, wanted: 'r' | 't'): { at: Date; id: string } {
  const [kind, at = '', id = '', ...more] = Buffer.from(cursor, 'base64url').toString('utf8').split(' ');
  const moment = new Date(at);
  if (kind !== wanted || Number.isNaN(moment.getTime()) || !/^[a-z0-9-]{1,80}$/.test(id) || more.length > 0) {
    throw new BerthError('CURSOR_INVALID');
  }
  return { at: moment, id };
}
