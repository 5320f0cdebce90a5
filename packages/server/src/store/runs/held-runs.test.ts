import { expect, test } from 'vitest';
import { sql } from 'kysely';
import { testDatabase } from '../../testing/database.ts';
import { makeWorker } from '../../testing/owned-run.ts';
import { makeRun } from '../../testing/project-run.ts';
import { admitRuns } from './admit-runs.ts';
import type { Ownership } from './claim-run.ts';
import { postInbox } from './post-inbox.ts';
import { readRun } from './read-run.ts';
import { releaseRun } from './release-run.ts';

const store = testDatabase();
const held = { code: 'SANDBOX_QUOTA', sentence: 'The quota is used up: pods=2.' };

async function holdOne(worker: string): Promise<{ runId: string; other: string; own: Ownership }> {
  const repository = `/held-${Math.random()}`;
  const { runId } = await makeRun(store.db, { repository });
  const { runId: other } = await makeRun(store.db, { repository });
  const own = (await admitRuns(store.db, { worker, limit: 100 })).find((run) => run.runId === runId)!;
  await releaseRun(store.db, own, { requeue: true, held });
  return { runId, other, own };
}

/** Lets the wait be over. */
async function pass(runId: string): Promise<number> {
  const { rows } = await sql<{ seconds: number }>`
    update runs r set held_until = clock_timestamp() - interval '1 second'
    from (select id, extract(epoch from held_until - clock_timestamp())::float as seconds from runs) b
    where r.id = ${runId} and b.id = r.id returning b.seconds`.execute(store.db.sql);
  return rows[0]!.seconds;
}

test('a run without room waits with its reason, keeps its place, and is given out again after a while', async () => {
  const worker = await makeWorker(store.db);
  const { runId } = await holdOne(worker);
  const before = await readRun(store.db, runId);
  expect(await admitRuns(store.db, { worker, limit: 100 })).toEqual([]);
  const { status, waiting } = await readRun(store.db, runId);
  expect(waiting).toBe(true);
  expect(status).toMatchObject({ code: 'SANDBOX_QUOTA' });
  expect(JSON.stringify(status)).toContain('The quota is used up: pods=2.');
  expect((await readRun(store.db, runId)).createdAt).toEqual(before.createdAt);
  await pass(runId);
  const again = await admitRuns(store.db, { worker, limit: 100 });
  expect(again.map((run) => run.runId)).toEqual([runId]);
});

test('each try without room makes the next one later, until one had room', async () => {
  const worker = await makeWorker(store.db);
  const { runId } = await holdOne(worker);
  const waits: number[] = [];
  for (let round = 0; round < 6; round += 1) {
    waits.push(await pass(runId));
    const [own] = await admitRuns(store.db, { worker, limit: 1 });
    await releaseRun(store.db, own!, { requeue: true, held });
  }
  expect(waits.map((seconds) => Math.round(seconds / 10) * 10)).toEqual([10, 20, 40, 80, 120, 120]);
  await pass(runId);
  const [own] = await admitRuns(store.db, { worker, limit: 1 });
  await releaseRun(store.db, own!, { requeue: true });
  const [next] = await admitRuns(store.db, { worker, limit: 1 });
  await releaseRun(store.db, next!, { requeue: true, held });
  expect(await pass(runId)).toBeLessThan(11);
  await admitRuns(store.db, { worker, limit: 1 });
});

test('a run that waits for room can be cancelled at once', async () => {
  const worker = await makeWorker(store.db);
  const { runId } = await holdOne(worker);
  await postInbox(store.db, { id: `i-${runId}`, runId, by: 'ada', request: { kind: 'cancel' } });
  expect((await admitRuns(store.db, { worker, limit: 0 })).map((run) => run.runId)).toContain(runId);
});
