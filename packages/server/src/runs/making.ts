import { BerthError } from '../domain/errors/index.ts';
import type { RunParent } from '../domain/events/index.ts';
import type { Forge } from '../domain/ports/forge.ts';
import type { RunMaking } from '../domain/ports/run-reading.ts';
import type { RunLimits } from '../domain/limits.ts';
import type { RunState } from '../domain/run-state.ts';
import type { RunOptions } from '../domain/task.ts';
import type { RunView, TaskView } from '../domain/views.ts';
import type { Database } from '../store/database.ts';
import type { Redact } from '../store/events/prepare-append.ts';
import { readEvents } from '../store/events/read-events.ts';
import { createAttempt } from '../store/runs/create-attempt.ts';
import { createTask } from '../store/runs/create-task.ts';
import { listRuns } from '../store/runs/list-runs.ts';
import { readTask } from '../store/runs/read-task.ts';
import { assertWithinCeiling } from './ceiling.ts';
import { type PinnedConfig, settingsOfRepository } from './equip/settings.ts';
import { findRun } from './find-run.ts';
import { handoverOf, handoverTypes } from './handover.ts';
import { checkedTaskText } from './new-task.ts';
import { projectRun, readState } from './own-run.ts';
import { checkpointAt, planOf } from './working-tree.ts';

export interface MakingParts {
  readonly db: Database;
  readonly redact: Redact;
  /** What new runs pin, as new tasks do. */
  readonly config: PinnedConfig;
  forgeOf(projectId: string): Promise<Forge>;
  runViewOf(runId: string): Promise<RunView>;
  taskViewOf(taskId: string): Promise<TaskView>;
}

/** Retry and branching off, as the port says. */
export function runMaking(parts: MakingParts): RunMaking {
  const { db, redact, config } = parts;
  /** The revision a new run pins; limits that are asked for now may not pass its ceiling. */
  const pin = (repository: string, limits: Partial<RunLimits>): number => {
    const revision = config.current();
    assertWithinCeiling(settingsOfRepository(revision, repository), limits);
    return revision.number;
  };
  return {
    async retry(text, { by, base, instruction, limits }) {
      const record = await findRun(db, text);
      const state = await readState(db, record.id);
      const offered = await offeredBy(db, record.taskId);
      await assertOpen(parts, record.projectId, offered.pullRequest);
      const parent: RunParent = {
        kind: 'retry',
        run: record.id,
        seq: state.seq,
        base: base === 'same' ? (state.plan?.base ?? null) : null,
        pushed: offered.pushed,
        checkpoint: null,
        handover: null,
        by,
      };
      const task = await readTask(db, record.taskId);
      const configRevision = pin(task.project.repository, limits);
      const runId = await createAttempt(db, {
        taskId: task.id,
        configRevision,
        text: withInstruction(task.text, instruction),
        options: optionsOf(state, limits),
        parent,
        projection: projectRun,
        redact,
      });
      return parts.runViewOf(runId);
    },
    async branchOff(text, { by, seq, instruction, limits }) {
      const record = await findRun(db, text);
      const [{ place, checkpoint }, { base, ref }, task, state] = await Promise.all([
        checkpointAt(db, record, seq),
        planOf(db, record.id),
        readTask(db, record.taskId),
        readState(db, record.id),
      ]);
      const entries = await readEvents(db, record.id, {
        types: handoverTypes,
        beforeSeq: place.checkpointSeq + 1,
        withoutErased: true,
      });
      const parent: RunParent = {
        kind: 'branch-off',
        run: record.id,
        seq: place.checkpointSeq,
        base: { ref, commit: base },
        pushed: null,
        checkpoint: checkpoint.data,
        handover: handoverOf(entries),
        by,
      };
      const created = await createTask(db, {
        configRevision: pin(task.project.repository, limits),
        project: task.project,
        // Its own text, so that checks, judge and pull request speak of what was asked here.
        text: withInstruction(task.text, instruction),
        title: task.title,
        origin: { kind: 'api', by, url: null },
        options: optionsOf(state, limits),
        parent,
        projection: projectRun,
        redact,
      });
      return {
        place,
        task: await parts.taskViewOf(created.taskId),
        run: await parts.runViewOf(created.runId),
      };
    },
  };
}

/** A pull request that is merged or closed takes no further attempt. */
async function assertOpen(parts: MakingParts, projectId: string, number: number | null): Promise<void> {
  if (number === null) return;
  const forge = await parts.forgeOf(projectId);
  const found = await forge.getPullRequest(number);
  if (found === null || found.state === 'open') return;
  throw new BerthError('TASK_CLOSED', `Pull request #${number} of this task is ${found.state}.`);
}

/** What a task's runs have offered so far: its pull request, and where they left its branch. */
async function offeredBy(
  db: Database,
  taskId: string,
): Promise<{ readonly pullRequest: number | null; readonly pushed: string | null }> {
  const { runs } = await listRuns(db, { filter: { taskId }, limit: 100 });
  let pushed: string | null = null;
  for (const run of runs) {
    const [last] = await readEvents(db, run.id, { types: ['proposal.pushed'], limit: 1, last: true });
    if (last?.type !== 'proposal.pushed') continue;
    pushed = last.data.commit;
    break;
  }
  return { pullRequest: runs.find((run) => run.pullRequest !== null)?.pullRequest?.number ?? null, pushed };
}

function withInstruction(text: string, instruction: string | null): string {
  if (instruction === null || instruction.trim() === '') return checkedTaskText(text);
  return checkedTaskText(`${text}\n\nFor this attempt:\n${instruction.trim()}`);
}

/** What the earlier run was asked with, and other limits where given. A cassette is played once and not again. */
function optionsOf({ created }: RunState, limits: Partial<RunLimits>): RunOptions {
  if (created === null) throw new BerthError('INTERNAL', 'A run without its first entry.');
  const { options } = created;
  return { ...options, record: null, limits: { ...options.limits, ...limits } };
}
