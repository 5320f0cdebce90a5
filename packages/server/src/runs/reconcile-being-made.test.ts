import { expect, test } from 'vitest';
import type { SandboxDriver } from '../domain/ports/sandbox.ts';
import { releaseRun } from '../store/runs/release-run.ts';
import { testDatabase } from '../testing/database.ts';
import { makeOwnedRun, writerOf } from '../testing/owned-run.ts';
import { reconcileOnce } from './reconcile.ts';

const store = testDatabase();
const longAgoMs = 10 * 60_000;

/** A driver that has these sandboxes and nothing else. */
function driverWith(sandboxes: { id: string; runId: string; createdMs: number }[]): SandboxDriver {
  const none = (): never => {
    throw new Error('only lists and destroys');
  };
  return {
    name: 'fake',
    probe: none,
    create: none,
    attach: none,
    list: () => Promise.resolve([...sandboxes]),
    destroy: (id) => {
      sandboxes.splice(0, sandboxes.length, ...sandboxes.filter((one) => one.id !== id));
      return Promise.resolve();
    },
  };
}

test('a sandbox that takes long to be made is left to the owner that makes it, and to no other', async () => {
  const { db } = store;
  const ownership = await makeOwnedRun(db);
  const { runId, worker, epoch } = ownership;
  const writer = await writerOf(db, ownership);
  const later = db.clock.nowMs() + longAgoMs;
  const driver = driverWith([
    { id: 's-old', runId, createdMs: db.clock.nowMs() - 1 },
    { id: 's-being-made', runId, createdMs: later - longAgoMs + 1_000 },
  ]);
  await writer.append([{ type: 'run.owned', data: { worker, epoch } }]);
  const clock = {
    nowMs: () => later,
    monotonicMs: () => db.clock.monotonicMs(),
    sleep: (ms: number, signal?: AbortSignal) => db.clock.sleep(ms, signal),
  };
  expect(await reconcileOnce({ ...db, clock }, driver)).toEqual(['s-old']);
  await releaseRun(db, ownership, { requeue: true });
  expect(await reconcileOnce({ ...db, clock }, driver)).toEqual(['s-being-made']);
});
