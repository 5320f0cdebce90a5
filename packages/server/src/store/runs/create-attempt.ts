import { sql } from 'kysely';
import { BerthError } from '../../domain/errors/index.ts';
import type { RunParent } from '../../domain/events/index.ts';
import { newId } from '../../domain/ids.ts';
import { foldAll } from '../../domain/run-state.ts';
import { outcomes } from '../../domain/status.ts';
import type { RunOptions } from '../../domain/task.ts';
import type { Database } from '../database.ts';
import { emptyHead } from '../events/chain.ts';
import { prepareAppend, type Redact } from '../events/prepare-append.ts';
import { storableText } from '../events/storable.ts';
import { waitingRuns } from './create-task.ts';
import { insertRun } from './insert-run.ts';
import type { Project as ProjectState } from './projection.ts';
import { readTask } from './read-task.ts';

/**
 * Makes another run of a task, which waits for an owner. Two that are asked for at once make one: the task's row is
 * locked while it is looked whether one of its runs is active.
 * @returns the run's id
 * @throws BerthError `RUN_ACTIVE`, `NOT_FOUND`, `DATABASE_UNAVAILABLE`, `EVENT_INVALID`
 */
export async function createAttempt(
  db: Database,
  input: {
    readonly taskId: string;
    readonly text: string;
    readonly options: RunOptions;
    readonly parent: RunParent;
    /** Revision of the configuration that the run pins. */
    readonly configRevision: number;
    readonly projection: ProjectState;
    readonly redact: Redact;
  },
): Promise<string> {
  const { taskId, options, parent, configRevision, redact } = input;
  const nowMs = db.clock.nowMs();
  const runId = newId('r', nowMs);
  const task = await readTask(db, taskId);
  await db.sql.transaction().execute(async (transaction) => {
    await sql`select from tasks where id = ${taskId} for update`.execute(transaction);
    const runs = await transaction
      .selectFrom('runs')
      .select(['id', 'state', 'attempt'])
      .where('task_id', '=', taskId)
      .execute();
    const active = runs.find((run) => !(outcomes as readonly string[]).includes(run.state));
    if (active !== undefined) {
      throw new BerthError('RUN_ACTIVE', `The run ${active.id} of this task is ${active.state}.`, {
        details: { run: active.id, state: active.state },
      });
    }
    const attempt = Math.max(0, ...runs.map((run) => run.attempt)) + 1;
    const prepared = await prepareAppend({
      runId,
      from: emptyHead(runId),
      events: [
        {
          type: 'run.created',
          data: {
            taskId,
            projectId: task.projectId,
            repository: task.project.repository,
            title: task.title,
            text: storableText(String(redact(input.text))),
            branch: task.branch,
            attempt,
            options,
            configRevision,
            parent,
          },
        },
      ],
      atMs: nowMs,
      redact,
      blobs: db.blobs,
    });
    await insertRun(transaction, {
      id: runId,
      taskId,
      projectId: task.projectId,
      parent,
      attempt,
      configRevision,
      createdAtMs: nowMs,
      prepared,
      projection: input.projection(foldAll(runId, prepared.stored)),
    });
  });
  db.bell.ring(waitingRuns);
  return runId;
}
