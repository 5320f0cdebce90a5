import * as fc from 'fast-check';
import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { configOf } from '../../testing/config.ts';
import { testDatabase } from '../../testing/database.ts';
import { makeWorker } from '../../testing/owned-run.ts';
import { insertWaiting } from '../../testing/waiting-runs.ts';
import type { Config } from '../../domain/config/index.ts';
import type { Database } from '../database.ts';
import { admitRuns } from './admit-runs.ts';
import type { Ownership } from './claim-run.ts';
import { postInbox } from './post-inbox.ts';
import { queuePlaces } from './queue-places.ts';
import { readRun } from './read-run.ts';
import { releaseRun } from './release-run.ts';
import { takeOver } from './take-over.ts';

const store = testDatabase();
beforeEach(async () => {
  await sql`truncate tasks, projects, workers, budget_use cascade`.execute(store.db.sql);
});

const caps = { total: 12, perProject: 4, perPrincipal: 5 };
const config: Config = configOf({
  limits: { caps, projectBudgets: [{ per: 'day', runs: 25 }] },
  projects: [{ name: 'a', repository: '/srv/a', cap: 2, budgets: [] }],
});

/** What is active now, in one look. */
async function activeBy(db: Database, column: 'project_id' | 'principal'): Promise<Map<string, number>> {
  const rows = await db.sql
    .selectFrom('runs')
    .select([column, (count) => count.fn.countAll<string>().as('n')])
    .where('owner_worker', 'is not', null)
    .groupBy(column)
    .execute();
  return new Map(rows.map((row) => [row[column], Number(row.n)]));
}

async function expectWithinCaps(db: Database): Promise<void> {
  const [projects, principals] = await Promise.all([activeBy(db, 'project_id'), activeBy(db, 'principal')]);
  const sum = [...projects.values()].reduce((all, n) => all + n, 0);
  expect(sum).toBeLessThanOrEqual(caps.total);
  for (const [id, n] of projects) expect([id, n <= (id === 'p-a' ? 2 : caps.perProject)]).toEqual([id, true]);
  for (const [id, n] of principals) expect([id, n <= caps.perPrincipal]).toEqual([id, true]);
}

/** Places of a line are 1, 2, 3 … as far as that line is concerned. */
async function expectPlaces(db: Database): Promise<void> {
  const rows = await db.sql
    .selectFrom('runs')
    .select(['id', 'project_id', 'principal', 'queue_line'])
    .where('waiting', '=', true)
    .where('owner_worker', 'is', null)
    .execute();
  const places = await queuePlaces(
    db,
    rows.map((row) => row.id),
  );
  const lines = new Map<string, number[]>();
  for (const row of rows) {
    const place = places.get(row.id);
    // Admitted between the two looks.
    if (place === undefined) continue;
    const line = row.queue_line === 'project' ? row.project_id : (row.queue_line ?? 'all');
    const key = row.queue_line === 'principal' ? `principal ${row.principal}` : line;
    lines.set(key, [...(lines.get(key) ?? []), place.position]);
  }
  for (const [line, positions] of lines) {
    expect([line, new Set(positions).size]).toEqual([line, positions.length]);
    expect(Math.min(...positions)).toBeGreaterThanOrEqual(1);
    expect(Math.max(...positions)).toBeLessThanOrEqual(rows.length);
  }
}

const group = fc.record({
  project: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  principal: fc.constantFrom('ada@x', 'bob@x', 'cyd@x'),
  count: fc.integer({ min: 1, max: 12 }),
  priority: fc.integer({ min: -2, max: 2 }),
});

test('eight workers that admit, end, crash and take over at random never pass a cap, and everyone is admitted once', async () => {
  const connections = await Promise.all(Array.from({ length: 8 }, () => store.open()));
  await fc.assert(
    fc.asyncProperty(
      fc.array(group, { minLength: 3, maxLength: 6 }),
      fc.infiniteStream(fc.nat(99)),
      async (groups, dice) => {
        await sql`truncate tasks, projects, workers, budget_use cascade`.execute(store.db.sql);
        const all = await insertWaiting(store.db, groups);
        const first: string[] = [];
        const ended = new Set<string>();
        const throwDie = (): number => dice.next().value;
        const act = async (db: Database): Promise<void> => {
          let worker = await makeWorker(db);
          let mine: Ownership[] = [];
          for (let turn = 0; turn < 400 && ended.size < all.length; turn += 1) {
            const die = throwDie();
            if (die < 45) {
              const admitted = await admitRuns(db, {
                worker,
                config,
                limit: 1 + (die % 4),
                relabel: die % 2 === 0,
              });
              first.push(...admitted.map((run) => run.runId));
              mine.push(...admitted);
            } else if (die < 55) mine.push(...(await takeOver(db, worker, 3)));
            else if (die < 60) {
              // Killed: it lets nothing go, and its lease runs out.
              await sql`update workers set lease_expires_at = clock_timestamp() where id = ${worker}`.execute(
                db.sql,
              );
              mine = [];
              worker = await makeWorker(db);
            } else if (die < 65) await expectPlaces(db);
            else {
              const run = mine.shift();
              if (run !== undefined && (await releaseRun(db, run, { requeue: false }))) ended.add(run.runId);
            }
            await expectWithinCaps(db);
          }
        };
        await Promise.all(connections.map((db) => act(db)));
        // Whoever was left with a dead worker is found by the next.
        const last = await makeWorker(store.db);
        for (let turn = 0; turn < 200 && ended.size < all.length; turn += 1) {
          await sql`update workers set lease_expires_at = clock_timestamp() where id <> ${last}`.execute(
            store.db.sql,
          );
          const admitted = await admitRuns(store.db, { worker: last, config, limit: 100 });
          first.push(...admitted.map((run) => run.runId));
          for (const run of [...admitted, ...(await takeOver(store.db, last, 100))]) {
            await releaseRun(store.db, run, { requeue: false });
            ended.add(run.runId);
          }
          if (admitted.length === 0 && turn > 3) break;
        }
        expect(new Set(first).size).toBe(first.length);
        // A project's budget of 25 runs a day holds back the rest, and nobody else.
        const left = all.filter((id) => !ended.has(id));
        const begun = new Map<string, number>();
        for (const { project, count } of groups) begun.set(project, (begun.get(project) ?? 0) + count);
        const beyond = [...begun].map(([project, n]) => (project === 'a' ? 0 : Math.max(0, n - 25)));
        expect(left.length).toBe(beyond.reduce((sum, n) => sum + n, 0));
        for (const id of left) expect((await readRun(store.db, id)).status.code).toBe('QUEUE_BUDGET');
        expect(new Set(first)).toEqual(new Set(all.filter((id) => ended.has(id))));
      },
    ),
    { numRuns: 3 },
  );
});

test('a project with a thousand runs in line does not delay the first of another', async () => {
  const worker = await makeWorker(store.db);
  const limits = configOf({ limits: { caps: { total: 4 } } });
  const many = await insertWaiting(store.db, [{ project: 'big', principal: 'ada@x', count: 1_000 }]);
  const running = await admitRuns(store.db, { worker, config: limits, limit: 10 });
  expect(running.map((run) => run.runId)).toEqual(many.slice(0, 4));
  const [late] = await insertWaiting(store.db, [{ project: 'small', principal: 'bob@x', count: 1 }]);
  expect(await admitRuns(store.db, { worker, config: limits, limit: 10 })).toEqual([]);
  expect((await readRun(store.db, late!)).status).toMatchObject({
    code: 'QUEUE_TOTAL_CAP',
    reason: 'Waits: 4 of 4 runs are active in all; 1st in line',
    queue: { position: 1 },
  });
  await releaseRun(store.db, running[0]!, { requeue: false });
  const next = await admitRuns(store.db, { worker, config: limits, limit: 10 });
  expect(next.map((run) => run.runId)).toEqual([late]);
});

test('within a project priority goes first, then the principals in turn, then age', async () => {
  const worker = await makeWorker(store.db);
  const [a1, a2, b1, urgent] = await insertWaiting(store.db, [
    { project: 'web', principal: 'ada@x', count: 2 },
    { project: 'web', principal: 'bob@x', count: 1 },
    { project: 'web', principal: 'ada@x', count: 1, priority: 5 },
  ]);
  const order: string[] = [];
  for (let turn = 0; turn < 4; turn += 1) {
    const [next] = await admitRuns(store.db, { worker, limit: 1 });
    order.push(next!.runId);
  }
  expect(order).toEqual([urgent, b1, a1, a2]);
});

test('what a principal’s cap leaves of a project’s room goes to others at once', async () => {
  const worker = await makeWorker(store.db);
  const ids = await insertWaiting(store.db, [
    { project: 'web', principal: 'ada@x', count: 10 },
    { project: 'web', principal: 'bob@x', count: 1 },
    { project: 'api', principal: 'ada@x', count: 1 },
  ]);
  const limits = configOf({ limits: { caps: { perProject: 3, perPrincipal: 2 } } });
  const admitted = await admitRuns(store.db, { worker, config: limits, limit: 20 });
  expect(new Set(admitted.map((run) => run.runId))).toEqual(new Set([ids[0], ids[10], ids[11]]));
  expect((await readRun(store.db, ids[1]!)).status).toMatchObject({
    code: 'QUEUE_PRINCIPAL_CAP',
    reason: 'Waits: ada@x runs 2 of 2; 1st in line',
  });
});

test('a full project says so with the place, an estimate comes with history, and no worker is said too', async () => {
  const worker = await makeWorker(store.db);
  const ids = await insertWaiting(store.db, [{ project: 'web', principal: 'ada@x', count: 8 }]);
  const limits = configOf({ projects: [{ name: 'web', repository: '/srv/web', cap: 5 }] });
  const running = await admitRuns(store.db, { worker, config: limits, limit: 20 });
  expect((await readRun(store.db, ids[7]!)).status).toMatchObject({
    code: 'QUEUE_PROJECT_CAP',
    reason: 'Waits: project web runs 5 of 5; 3rd in line',
    queue: { position: 3, etaSec: null },
  });
  for (const run of running.slice(0, 3)) {
    await sql`update runs set state = 'succeeded', active_ms = 100000 where id = ${run.runId}`.execute(
      store.db.sql,
    );
    await releaseRun(store.db, run, { requeue: false });
  }
  await admitRuns(store.db, { worker, config: limits, limit: 2 });
  // Two are left to run, two more began: the last is first in line of what a free worker takes next.
  expect((await readRun(store.db, ids[7]!)).status).toMatchObject({
    code: 'QUEUE_TURN',
    reason: 'Waits for a free worker; 1st in line',
    queue: { position: 1, etaSec: 25 },
  });
  await sql`update workers set lease_expires_at = clock_timestamp()`.execute(store.db.sql);
  await sql`update runs set queued_at = queued_at - interval '1 minute'`.execute(store.db.sql);
  expect((await readRun(store.db, ids[7]!)).status).toMatchObject({
    code: 'QUEUE_NO_WORKER',
    queue: { etaSec: null },
  });
});

test('a run that was cancelled in line is given out at once, past every cap', async () => {
  const worker = await makeWorker(store.db);
  const [running, waiting] = await insertWaiting(store.db, [
    { project: 'web', principal: 'ada@x', count: 2 },
  ]);
  const limits = configOf({ limits: { caps: { total: 1 } } });
  expect(await admitRuns(store.db, { worker, config: limits, limit: 9 })).toMatchObject([{ runId: running }]);
  await postInbox(store.db, { id: 'i-1', runId: waiting!, by: 'ada@x', request: { kind: 'cancel' } });
  expect(await admitRuns(store.db, { worker, config: limits, limit: 0, relabel: false })).toMatchObject([
    { runId: waiting },
  ]);
});

test('reasons are written where they changed, not at every admission', async () => {
  const worker = await makeWorker(store.db);
  const limits = configOf({ limits: { caps: { perProject: 1 } } });
  await insertWaiting(store.db, [{ project: 'web', principal: 'ada@x', count: 50 }]);
  const [first] = await admitRuns(store.db, { worker, config: limits, limit: 5 });
  const versions = async () =>
    (await sql`select id, xmin::text from runs where waiting`.execute(store.db.sql)).rows;
  const before = await versions();
  await releaseRun(store.db, first!, { requeue: false });
  const [second] = await admitRuns(store.db, { worker, config: limits, limit: 5 });
  expect(second).toBeDefined();
  const after = await versions();
  expect(after).toHaveLength(48);
  expect(before).toEqual(expect.arrayContaining(after));
});
