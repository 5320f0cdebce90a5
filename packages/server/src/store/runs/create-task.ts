import { sql } from 'kysely';
import { BerthError } from '../../domain/errors/index.ts';
import { newId } from '../../domain/ids.ts';
import { foldAll } from '../../domain/run-state.ts';
import { branchOf, titleOf, type Origin, type Project, type RunOptions } from '../../domain/task.ts';
import type { RunParent } from '../../domain/events/index.ts';
import type { Database } from '../database.ts';
import { emptyHead } from '../events/chain.ts';
import { prepareAppend, type Redact } from '../events/prepare-append.ts';
import { storableText } from '../events/storable.ts';
import { insertRun } from './insert-run.ts';
import type { Project as ProjectState } from './projection.ts';

export interface NewTask {
  readonly project: Project;
  readonly text: string;
  readonly origin: Origin;
  readonly options: RunOptions;
  /** Principal id whose it is; `origin.by` unless given. */
  readonly owner?: string;
  /** The same key again, of the same `origin.by`, finds the task it made instead of making another. */
  readonly idempotencyKey?: string;
  /** Revision of the configuration that the run pins; 0 unless given. */
  readonly configRevision?: number;
  /** Of its runs, within the project. */
  readonly priority?: number;
  /** The run it was branched off from, and what it takes over. */
  readonly parent?: RunParent;
  /** Instead of the first line of the text. */
  readonly title?: string;
  readonly projection: ProjectState;
  readonly redact: Redact;
}

export interface CreatedTask {
  readonly taskId: string;
  readonly runId: string;
  /** False: an earlier request with this idempotency key made it. */
  readonly isNew: boolean;
}

/**
 * Makes a task and its first run, which waits for an owner, in one transaction.
 * @throws BerthError `DATABASE_UNAVAILABLE` (repeat it with the same idempotency key), `EVENT_INVALID`
 */
export async function createTask(db: Database, input: NewTask): Promise<CreatedTask> {
  const { project, origin, options, idempotencyKey, redact } = input;
  const nowMs = db.clock.nowMs();
  const taskId = newId('t', nowMs);
  const runId = newId('r', nowMs);
  const text = storableText(String(redact(input.text)));
  const title = input.title ?? titleOf(text);
  const branch = branchOf(title, taskId);
  const prepared = await prepareAppend({
    runId,
    from: emptyHead(runId),
    events: [
      {
        type: 'run.created',
        data: {
          taskId,
          projectId: project.id,
          repository: project.repository,
          title,
          text,
          branch,
          attempt: 1,
          options,
          configRevision: input.configRevision ?? 0,
          ...(input.parent === undefined ? {} : { parent: input.parent }),
        },
      },
    ],
    atMs: nowMs,
    redact,
    blobs: db.blobs,
  });
  const projection = input.projection(foldAll(runId, prepared.stored));
  const isNew = await db.sql.transaction().execute(async (transaction) => {
    const inserted = await transaction
      .insertInto('tasks')
      .values({
        id: taskId,
        project_id: project.id,
        title,
        text,
        origin: JSON.stringify(origin),
        branch,
        idempotency_key: idempotencyKey ?? null,
        owner: input.owner ?? origin.by,
        created_at: new Date(nowMs),
      })
      .onConflict((conflict) => conflict.expression(sql`(origin ->> 'by'), idempotency_key`).doNothing())
      .returning('id')
      .executeTakeFirst();
    if (inserted === undefined) return false;
    await insertRun(transaction, {
      id: runId,
      taskId,
      projectId: project.id,
      parent: input.parent ?? null,
      attempt: 1,
      configRevision: input.configRevision ?? 0,
      createdAtMs: nowMs,
      priority: input.priority ?? 0,
      prepared,
      projection,
    });
    return true;
  });
  if (!isNew) return findByKey(db, project.id, origin.by, idempotencyKey ?? '');
  db.bell.ring(waitingRuns);
  return { taskId, runId, isNew };
}

/** What the bell rings for when a run has begun to wait. */
export const waitingRuns = 'waiting';

/**
 * In the same project alone: a key that was used for another one, which the caller may not see now (a narrowed token, a
 * role that was taken away), must not answer that task.
 */
async function findByKey(db: Database, projectId: string, by: string, key: string): Promise<CreatedTask> {
  const row = await db.sql
    .selectFrom('tasks')
    .innerJoin('runs', 'runs.task_id', 'tasks.id')
    .select(['tasks.id as taskId', 'tasks.project_id as projectId', 'runs.id as runId'])
    .where(sql<string>`tasks.origin ->> 'by'`, '=', by)
    .where('tasks.idempotency_key', '=', key)
    .orderBy('runs.attempt')
    .executeTakeFirst();
  if (row === undefined) throw new BerthError('CONFLICT', 'Another request with this key is under way.');
  if (row.projectId !== projectId) throw new BerthError('IDEMPOTENCY_KEY_REUSED');
  return { taskId: row.taskId, runId: row.runId, isNew: false };
}
