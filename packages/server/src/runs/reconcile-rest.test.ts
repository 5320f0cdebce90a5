import { expect, test } from 'vitest';
import type { NewEvent } from '../domain/events/index.ts';
import type { SandboxDriver } from '../domain/ports/sandbox.ts';
import { postInbox } from '../store/runs/post-inbox.ts';
import { releaseRun } from '../store/runs/release-run.ts';
import { endWorker } from '../store/workers/end-worker.ts';
import { testDatabase } from '../testing/database.ts';
import { makeOwnedRun, makeWorker, writerOf } from '../testing/owned-run.ts';
import { reconcileOnce } from './reconcile.ts';

const store = testDatabase();
const minutes = (n: number): number => n * 60_000;

function driverWith(listed: ReadonlyArray<{ id: string; runId: string; ageMs: number }>): SandboxDriver {
  const left = new Map(listed.map((one) => [one.id, { ...one, createdMs: Date.now() - one.ageMs }]));
  return {
    name: 'fake',
    list: () => Promise.resolve([...left.values()]),
    destroy: (id: string) => {
      left.delete(id);
      return Promise.resolve();
    },
  } as unknown as SandboxDriver;
}

const created: NewEvent = {
  type: 'sandbox.created',
  data: {
    purpose: 'work',
    ref: { id: 's-paused', driver: 'fake', bootId: 'b', address: 'a' },
    commit: 'c',
    durationMs: 1,
    restoredFrom: null,
  },
};

test('idle sandboxes live as long as the worker that keeps them, and are adopted by nobody', async () => {
  const [living, dead] = [await makeWorker(store.db), await makeWorker(store.db)];
  await endWorker(store.db, dead);
  const driver = driverWith([
    { id: 's-kept', runId: `pool.${living}.1`, ageMs: minutes(50) },
    { id: 's-left', runId: `pool.${dead}.1`, ageMs: minutes(50) },
    { id: 's-left-young', runId: `pool.${dead}.2`, ageMs: 100 },
    { id: 's-of-nobody', runId: 'pool.w-never-heard-of.1', ageMs: minutes(50) },
    // Its record is not written yet: whoever makes it may live.
    { id: 's-new-born', runId: '', ageMs: 100 },
  ]);
  expect(await reconcileOnce(store.db, driver)).toEqual(['s-left', 's-left-young', 's-of-nobody']);
});

test('one that was given to a run and is not in its log yet is new-born from its claim on', async () => {
  const { runId } = await makeOwnedRun(store.db);
  const driver = driverWith([
    { id: 's-claimed', runId, ageMs: minutes(1) },
    { id: 's-never-recorded', runId, ageMs: minutes(3) },
  ]);
  expect(await reconcileOnce(store.db, driver)).toEqual(['s-never-recorded']);
});

test('the sandbox of a paused run is kept as long as its profile says, and no longer', async () => {
  const ownership = await makeOwnedRun(store.db);
  const { runId } = ownership;
  await (
    await writerOf(store.db, ownership)
  ).append([created, { type: 'run.paused', data: { by: 'ann', reason: 'lunch' } }]);
  const driver = driverWith([{ id: 's-paused', runId, ageMs: minutes(60) }]);
  const clock = (laterMs: number) => ({ ...store.db.clock, nowMs: () => Date.now() + laterMs });
  const at = (laterMs: number, keepMs: number): Promise<string[]> =>
    reconcileOnce({ ...store.db, clock: clock(laterMs) }, driver, () => Promise.resolve(keepMs));
  // Its owner is still saving it.
  expect(await at(minutes(20), minutes(15))).toEqual([]);
  await releaseRun(store.db, ownership, { requeue: false });
  expect(await at(minutes(14), minutes(15))).toEqual([]);
  expect(await at(minutes(20), minutes(60))).toEqual([]);
  // Somebody wants it to go on: it finds its sandbox.
  await postInbox(store.db, { id: 'i-resume', runId, by: 'ann', request: { kind: 'resume', limits: {} } });
  expect(await at(minutes(20), minutes(15))).toEqual([]);
});

test('a pause that was long enough leaves the checkpoint only', async () => {
  const ownership = await makeOwnedRun(store.db);
  const { runId } = ownership;
  await (
    await writerOf(store.db, ownership)
  ).append([created, { type: 'run.paused', data: { by: 'ann', reason: 'lunch' } }]);
  await releaseRun(store.db, ownership, { requeue: false });
  const driver = driverWith([{ id: 's-paused', runId, ageMs: 100 }]);
  const clock = { ...store.db.clock, nowMs: () => Date.now() + minutes(16) };
  const pauseKeep = (): Promise<number> => Promise.resolve(minutes(15));
  expect(await reconcileOnce({ ...store.db, clock }, driver, pauseKeep)).toEqual(['s-paused']);
});
