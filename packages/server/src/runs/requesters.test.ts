import { expect, test } from 'vitest';
import type { RunParent } from '../domain/events/index.ts';
import { selfApprovalObjection } from '../domain/gates.ts';
import { runOptionsSchema } from '../domain/task.ts';
import type { Database } from '../store/database.ts';
import { createAttempt } from '../store/runs/create-attempt.ts';
import { createTask } from '../store/runs/create-task.ts';
import { ensureProject } from '../store/runs/ensure-project.ts';
import { testDatabase } from '../testing/database.ts';
import { endRuns } from '../testing/schedule-world.ts';
import { projectRun } from './own-run.ts';
import { requestersOf } from './requesters.ts';

const database = testDatabase();
const plain = {
  options: runOptionsSchema.parse({}),
  projection: projectRun,
  redact: <Value>(value: Value): Value => value,
};

function parent(kind: RunParent['kind'], run: string, by: string | null): RunParent {
  const nothing = { base: null, pushed: null, checkpoint: null, handover: null };
  return { kind, run, seq: 1, ...nothing, ...(by === null ? {} : { by }) };
}

async function task(db: Database, by: string, from?: RunParent) {
  const project = await ensureProject(db, { name: 'web', repository: '/srv/web.git' });
  const origin = { kind: 'api', by, url: null } as const;
  return createTask(db, {
    project,
    // Over what a row holds inline: the entry is read from where it lies.
    text: `Fix it ${'x'.repeat(9_000)}`,
    origin,
    ...plain,
    ...(from === undefined ? {} : { parent: from }),
  });
}

async function attempt(db: Database, taskId: string, run: string, by: string | null): Promise<string> {
  await endRuns(db, 'failed');
  return createAttempt(db, {
    taskId,
    text: 'Again',
    configRevision: 0,
    parent: parent('retry', run, by),
    ...plain,
  });
}

test('whoever asked for an attempt is a requester of it, besides those whose task it is', async () => {
  const { db } = database;
  const { taskId, runId } = await task(db, 'ann@example.org');
  expect(await requestersOf(db, taskId)).toEqual(['ann@example.org']);
  const second = await attempt(db, taskId, runId, 'bob@example.org');
  // An older log does not say who it was.
  await attempt(db, taskId, second, null);
  const requesters = await requestersOf(db, taskId);
  expect(requesters.toSorted()).toEqual(['ann@example.org', 'bob@example.org']);
  const gate = { selfApproval: false, requesters };
  expect(selfApprovalObjection(gate, ['bob@example.org'])).toContain('bob@example.org');
  expect(selfApprovalObjection(gate, ['carl@example.org'])).toBeNull();
});

test('a task that was branched off takes over the requesters of where it comes from', async () => {
  const { db } = database;
  const first = await task(db, 'ann@example.org');
  const again = await attempt(db, first.taskId, first.runId, 'bob@example.org');
  const off = await task(db, 'carl@example.org', parent('branch-off', again, 'carl@example.org'));
  const further = await task(db, 'dora@example.org', parent('branch-off', off.runId, 'dora@example.org'));
  const all = ['ann', 'bob', 'carl', 'dora'].map((name) => `${name}@example.org`);
  expect((await requestersOf(db, further.taskId)).toSorted()).toEqual(all);
  expect((await requestersOf(db, first.taskId)).toSorted()).toEqual(all.slice(0, 2));
});
