import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { testDatabase } from '../../testing/database.ts';
import { ManualClock } from '../../testing/manual-clock.ts';
import { makeOwnedRun, makeWorker, writerOf } from '../../testing/owned-run.ts';
import { makeRun, note } from '../../testing/project-run.ts';
import { endWorker } from '../workers/end-worker.ts';
import { renewLease } from '../workers/renew-lease.ts';
import { claimRun } from './claim-run.ts';
import { listOwned } from './list-owned.ts';
import { readRun } from './read-run.ts';
import { releaseRun } from './release-run.ts';
import { takeOver } from './take-over.ts';

const store = testDatabase();

async function expire(worker: string): Promise<void> {
  await sql`update workers set lease_expires_at = clock_timestamp() where id = ${worker}`.execute(
    store.db.sql,
  );
}

test('of many workers that claim a run at once, one gets it', async () => {
  const { runId } = await makeRun(store.db);
  const workers = await Promise.all(Array.from({ length: 8 }, () => makeWorker(store.db)));
  const claims = await Promise.all(workers.map((worker) => claimRun(store.db, runId, worker)));
  const won = claims.filter((claim) => claim !== null);
  expect(won).toHaveLength(1);
  expect((await readRun(store.db, runId)).owner).toEqual({ worker: won[0]?.worker, epoch: 1 });
});

test('a run whose owner lives is not taken over; after its lease it is, once, with a new epoch', async () => {
  const mine = await makeOwnedRun(store.db);
  const rivals = await Promise.all([makeWorker(store.db), makeWorker(store.db), makeWorker(store.db)]);
  expect((await Promise.all(rivals.map((worker) => takeOver(store.db, worker, 10)))).flat()).toEqual([]);
  const old = await writerOf(store.db, mine);
  await expire(mine.worker);
  const taken = (await Promise.all(rivals.map((worker) => takeOver(store.db, worker, 10)))).flat();
  expect(taken).toHaveLength(1);
  expect(taken[0]).toMatchObject({ runId: mine.runId, epoch: mine.epoch + 1 });
  await expect(old.append([note('late')])).rejects.toMatchObject({ code: 'OWNERSHIP_LOST' });
  await (await writerOf(store.db, taken[0]!)).append([note('goes on')]);
});

test('a lease runs out by the clock of the database, whatever the worker thinks the time is', async () => {
  const clock = new ManualClock();
  const jumping = await store.open(clock);
  const mine = await makeOwnedRun(jumping);
  const rival = await makeWorker(store.db);
  for (const jumpMs of [86_400_000, -10 * 86_400_000, 3_600_000]) {
    clock.jump(jumpMs);
    expect(await renewLease(jumping, mine.worker, 60_000)).toBe(true);
    expect(await takeOver(store.db, rival, 10)).toEqual([]);
  }
  await expire(mine.worker);
  expect(await takeOver(store.db, rival, 10)).toHaveLength(1);
});

test('a lease that ran out cannot be renewed, and its worker can claim nothing', async () => {
  const worker = await makeWorker(store.db);
  await expire(worker);
  const { runId } = await makeRun(store.db);
  expect(await renewLease(store.db, worker, 60_000)).toBe(false);
  expect(await claimRun(store.db, runId, worker)).toBeNull();
  expect(await takeOver(store.db, worker, 10)).toEqual([]);
});

test('a worker that ends lets others take over at once', async () => {
  const mine = await makeOwnedRun(store.db);
  await endWorker(store.db, mine.worker);
  const rival = await makeWorker(store.db);
  expect((await takeOver(store.db, rival, 10)).map((taken) => taken.runId)).toContain(mine.runId);
});

test('a worker finds what it owns, also when the answer to its claim was lost', async () => {
  const worker = await makeWorker(store.db);
  const mine = [await makeOwnedRun(store.db, worker), await makeOwnedRun(store.db, worker)];
  await makeOwnedRun(store.db);
  expect(await listOwned(store.db, worker)).toEqual(mine.map((one) => ({ ...one, isAsked: false })));
});

test('releasing with an old epoch changes nothing; a released run rests or waits, as told', async () => {
  const mine = await makeOwnedRun(store.db);
  expect(await releaseRun(store.db, { ...mine, epoch: mine.epoch - 1 }, { requeue: true })).toBe(false);
  expect((await readRun(store.db, mine.runId)).owner).not.toBeNull();
  expect(await releaseRun(store.db, mine, { requeue: false })).toBe(true);
  expect(await readRun(store.db, mine.runId)).toMatchObject({ owner: null, waiting: false });
  const again = await claimRun(store.db, mine.runId, mine.worker);
  await releaseRun(store.db, again!, { requeue: true });
  expect(await readRun(store.db, mine.runId)).toMatchObject({ owner: null, waiting: true });
});
