import { expect, test } from 'vitest';
import { testDatabase } from '../../testing/database.ts';
import { makeRun } from '../../testing/project-run.ts';
import { readEvents } from '../events/read-events.ts';
import { verifyChain } from '../events/verify-chain.ts';
import { readRun } from './read-run.ts';
import { readTask } from './read-task.ts';

const store = testDatabase();

test('a task comes with its first run, which waits, and whose log begins with its creation', async () => {
  const { taskId, runId, isNew } = await makeRun(store.db, { text: 'Fix\u0000 it\nplease' });
  expect(isNew).toBe(true);
  const task = await readTask(store.db, taskId);
  expect(task).toMatchObject({ text: 'Fix\u2400 it\nplease', project: { repository: '/srv/sample.git' } });
  const run = await readRun(store.db, runId);
  expect(run).toMatchObject({
    taskId,
    title: task.title,
    owner: null,
    waiting: true,
    attempt: 1,
    head: { seq: 1 },
  });
  expect((await readEvents(store.db, runId)).map((event) => event.type)).toEqual(['run.created']);
  expect((await verifyChain(store.db, runId)).ok).toBe(true);
});

test('the same request five times at once makes one task', async () => {
  const made = await Promise.all(
    Array.from({ length: 5 }, () => makeRun(store.db, { idempotencyKey: 'delivery-1' })),
  );
  expect(new Set(made.map((one) => one.taskId)).size).toBe(1);
  expect(new Set(made.map((one) => one.runId)).size).toBe(1);
  expect(made.filter((one) => one.isNew)).toHaveLength(1);
});

test('a key that was used in another project answers nothing of that one', async () => {
  const made = await makeRun(store.db, { idempotencyKey: 'delivery-2' });
  expect(made.isNew).toBe(true);
  await expect(
    makeRun(store.db, { idempotencyKey: 'delivery-2', repository: '/srv/other.git' }),
  ).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
});

test('a huge task text is stored and read back whole', async () => {
  const text = 'ü'.repeat(99_000);
  const { taskId, runId } = await makeRun(store.db, { text });
  expect((await readTask(store.db, taskId)).text).toBe(text);
  expect((await readEvents(store.db, runId))[0]).toMatchObject({ data: { text } });
});

test('what does not exist is said to be so', async () => {
  await expect(readRun(store.db, 'r-none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(readTask(store.db, 't-none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(verifyChain(store.db, 'r-none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
