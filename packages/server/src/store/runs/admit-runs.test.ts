import { expect, test } from 'vitest';
import { configOf } from '../../testing/config.ts';
import { testDatabase } from '../../testing/database.ts';
import { makeWorker } from '../../testing/owned-run.ts';
import { makeRun } from '../../testing/project-run.ts';
import { admitRuns } from './admit-runs.ts';
import { listRuns } from './list-runs.ts';
import { postInbox } from './post-inbox.ts';
import { readRun } from './read-run.ts';
import { releaseRun } from './release-run.ts';

const store = testDatabase();
const capped = (caps: { total?: number; perProject?: number; perPrincipal?: number }) =>
  configOf({ limits: { caps } });

test('admission goes round the projects, keeps the caps, and tells those who wait why and where', async () => {
  const worker = await makeWorker(store.db);
  const big = [];
  for (let index = 0; index < 5; index += 1)
    big.push((await makeRun(store.db, { repository: '/big' })).runId);
  const small = [(await makeRun(store.db, { repository: '/small' })).runId];
  const first = await admitRuns(store.db, { worker, config: capped({ total: 3, perProject: 2 }), limit: 10 });
  expect(new Set(first.map((run) => run.runId))).toEqual(new Set([big[0], big[1], small[0]]));
  const waiting = await Promise.all(big.slice(2).map((id) => readRun(store.db, id)));
  expect(waiting.map((run) => [run.status.code, run.status.queue?.position])).toEqual([
    ['QUEUE_PROJECT_CAP', 1],
    ['QUEUE_PROJECT_CAP', 2],
    ['QUEUE_PROJECT_CAP', 3],
  ]);
  await releaseRun(
    store.db,
    first.find((run) => run.runId === small[0])!,
    { requeue: false },
  );
  expect(
    await admitRuns(store.db, { worker, config: capped({ total: 2, perProject: 5 }), limit: 10 }),
  ).toEqual([]);
  expect((await readRun(store.db, big[2]!)).status.code).toBe('QUEUE_TOTAL_CAP');
  const more = await admitRuns(store.db, { worker, config: capped({ total: 10, perProject: 10 }), limit: 1 });
  expect(more.map((run) => run.runId)).toEqual([big[2]]);
  expect((await readRun(store.db, big[3]!)).status).toMatchObject({
    code: 'QUEUE_TURN',
    queue: { position: 1 },
  });
  expect((await readRun(store.db, big[2]!)).status.queue).toBeNull();
});

test('workers that admit at once share the runs without going over the caps', async () => {
  const repository = '/shared-out';
  const made = new Set<string>();
  for (let index = 0; index < 12; index += 1) made.add((await makeRun(store.db, { repository })).runId);
  const active = (await listRuns(store.db, { limit: 200 })).runs.filter((run) => run.owner !== null).length;
  const workers = await Promise.all([makeWorker(store.db), makeWorker(store.db), makeWorker(store.db)]);
  const config = capped({ total: active + 20, perProject: 7 });
  const admitted = (
    await Promise.all(workers.map((worker) => admitRuns(store.db, { worker, config, limit: 4 })))
  ).flat();
  const mine = admitted.filter((run) => made.has(run.runId));
  expect(new Set(mine.map((run) => run.runId)).size).toBe(mine.length);
  expect(mine.length).toBeLessThanOrEqual(7);
  expect(mine.length).toBeGreaterThan(3);
});

test('a resting run waits again when somebody asks something of it', async () => {
  const worker = await makeWorker(store.db);
  const { runId } = await makeRun(store.db, { repository: '/resting' });
  const [admitted] = (
    await admitRuns(store.db, { worker, config: capped({ total: 1_000, perProject: 1_000 }), limit: 1_000 })
  ).filter((run) => run.runId === runId);
  await releaseRun(store.db, admitted!, { requeue: false });
  await postInbox(store.db, {
    id: 'i-resume',
    runId,
    by: 'ada',
    request: { kind: 'resume', limits: { costUsd: 5 } },
  });
  expect(await readRun(store.db, runId)).toMatchObject({ waiting: true, inboxCount: 1 });
});

test('lists are paged without shifting, and filtered', async () => {
  const { runs } = await listRuns(store.db, { limit: 200 });
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await listRuns(store.db, { limit: 5, ...(cursor === null ? {} : { cursor }) });
    seen.push(...page.runs.map((run) => run.id));
    cursor = page.cursor;
    if (seen.length === 5) await makeRun(store.db, { repository: '/newer' });
  } while (cursor !== null);
  expect(seen).toEqual(runs.map((run) => run.id));
  const one = runs[3]!;
  const byId = await listRuns(store.db, { filter: { idPrefix: one.id.slice(0, 14) }, limit: 10 });
  expect(byId.runs.map((run) => run.id)).toContain(one.id);
  await expect(listRuns(store.db, { limit: 1, cursor: 'x' })).rejects.toMatchObject({ code: 'USAGE' });
});
