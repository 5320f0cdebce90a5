import { expect, test } from 'vitest';
import type { NewEvent } from '../domain/events/index.ts';
import type { SandboxDriver } from '../domain/ports/sandbox.ts';
import { releaseRun } from '../store/runs/release-run.ts';
import { testDatabase } from '../testing/database.ts';
import { makeOwnedRun, writerOf } from '../testing/owned-run.ts';
import { reconcileOnce, reconcileSandboxes } from './reconcile.ts';

const store = testDatabase();

interface Listed {
  readonly id: string;
  readonly runId: string;
  readonly ageMs: number;
}

function driverWith(listed: readonly Listed[]): { driver: SandboxDriver; destroyed: string[] } {
  const destroyed: string[] = [];
  const nowMs = Date.now();
  const all = listed.map(({ id, runId, ageMs }) => ({ id, runId, createdMs: nowMs - ageMs }));
  const driver = {
    name: 'fake',
    list: () => Promise.resolve(all.filter(({ id }) => !destroyed.includes(id))),
    destroy: (id: string) => {
      destroyed.push(id);
      return Promise.resolve();
    },
  } as unknown as SandboxDriver;
  return { driver, destroyed };
}

/** A run whose log ends with these entries. */
async function runWith(...events: NewEvent[]): Promise<string> {
  const ownership = await makeOwnedRun(store.db);
  if (events.length > 0) await (await writerOf(store.db, ownership)).append(events);
  return ownership.runId;
}

const created = (id: string): NewEvent => ({
  type: 'sandbox.created',
  data: {
    purpose: 'work',
    ref: { id, driver: 'fake', bootId: 'b', address: 'a' },
    commit: 'c',
    durationMs: 1,
    restoredFrom: null,
  },
});
const ended: NewEvent = {
  type: 'run.ended',
  data: { outcome: 'succeeded', code: null, sentence: 'done', next: null },
};
const minutes = (n: number): number => n * 60_000;

test('keeps what a live run owns and the new-born, and removes the rest', async () => {
  const live = await runWith(created('s-live'));
  const over = await runWith(created('s-over'), ended);
  const { driver } = driverWith([
    { id: 's-live', runId: live, ageMs: minutes(60) },
    { id: 's-being-born', runId: live, ageMs: minutes(1) },
    { id: 's-abandoned', runId: live, ageMs: minutes(3) },
    { id: 's-over', runId: over, ageMs: minutes(1) },
    { id: 's-unknown-young', runId: 'r-unknown', ageMs: minutes(1) },
    { id: 's-unknown-old', runId: 'r-unknown', ageMs: minutes(3) },
  ]);
  expect(await reconcileOnce(store.db, driver)).toEqual(['s-abandoned', 's-over', 's-unknown-old']);
  expect(await reconcileOnce(store.db, driver)).toEqual([]);
});

test('removes at its start, reports what goes wrong, and ends when told', async () => {
  const runId = await runWith(created('s-gone'), ended);
  const { driver, destroyed } = driverWith([{ id: 's-gone', runId, ageMs: 0 }]);
  let told: (code: string) => void = () => undefined;
  const failed = new Promise<string>((resolve) => {
    told = resolve;
  });
  const broken = { ...driver, destroy: () => Promise.reject(new Error('no such cgroup')) } as SandboxDriver;
  const end = reconcileSandboxes(store.db, broken, (error) => told(error.code));
  expect(await failed).toBe('INTERNAL');
  await end();
  const endAgain = reconcileSandboxes(store.db, driver, () => undefined);
  await endAgain();
  expect(destroyed).toEqual(['s-gone']);
});

test('a sandbox that takes long to be made is left to the owner that makes it, and to no other', async () => {
  const { db } = store;
  const ownership = await makeOwnedRun(db);
  const { runId, worker, epoch } = ownership;
  const writer = await writerOf(db, ownership);
  const later = db.clock.nowMs() + minutes(10);
  const { driver } = driverWith([
    { id: 's-old', runId, ageMs: 1 },
    { id: 's-being-made', runId, ageMs: -1_000 },
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

test('one from the pool of a worker that is dead stays with the run whose log names it, while that lives', async () => {
  const live = await runWith(created('s-claimed'));
  const over = await runWith(created('s-claimed-over'), ended);
  expect(live).not.toBe(over);
  const { driver } = driverWith(
    ['s-claimed', 's-claimed-over', 's-idle'].map((id, n) => ({
      id,
      runId: `pool.w-dead.${n}`,
      ageMs: minutes(60),
    })),
  );
  expect(await reconcileOnce(store.db, driver)).toEqual(['s-claimed-over', 's-idle']);
  expect(await reconcileOnce(store.db, driver)).toEqual([]);
});
