import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { systemClock } from '../domain/clock.ts';
import { runSql } from '../testing/run-sql.ts';
import { connectPool, type Address } from '../store/connect.ts';
import { openAt, type Database } from '../store/database.ts';
import { databaseUser } from '../store/embedded/initialise.ts';
import { verifyChain } from '../store/events/verify-chain.ts';
import { migrate } from '../store/migrate.ts';
import { listRuns } from '../store/runs/list-runs.ts';
import { loadRunState } from '../store/runs/load-run-state.ts';
import { postInbox } from '../store/runs/post-inbox.ts';
import { readTask } from '../store/runs/read-task.ts';
import { projectRun } from './own-run.ts';

/**
 * Every row of a database as the first release (migration 0001 alone) left it: a run that ended with a pull request,
 * one that is paused in the middle of a command, one that waits. `{table, row}` per line.
 */
const rowsPath = join(import.meta.dirname, 'testdata', 'first-release.jsonl');
const name = `first_${randomBytes(6).toString('hex')}`;
let home = '';
let db: Database;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'berth-first-'));
  const first = join(home, 'migrations');
  await cp(
    join(import.meta.dirname, '../store/migrations/0001_the_log.sql'),
    join(first, '0001_the_log.sql'),
  );
  await runSql(inject('databaseSockets'), `create database ${name}`);
  const address: Address = {
    kind: 'socket',
    directory: inject('databaseSockets'),
    database: name,
    user: databaseUser,
  };
  const old = connectPool(address, () => undefined);
  await migrate(old, first);
  for (const line of (await readFile(rowsPath, 'utf8')).trim().split('\n')) {
    const { table, row } = JSON.parse(line) as { table: string; row: object };
    await sql`insert into ${sql.table(table)} overriding system value
      select * from jsonb_populate_record(null::${sql.table(table)}, ${JSON.stringify(row)})`.execute(old);
  }
  await old.destroy();
  const options = { home, clock: systemClock, signal: new AbortController().signal, durable: false };
  db = await openAt(address, address, null, options);
});
afterAll(async () => {
  await db.close();
  await runSql(inject('databaseSockets'), `drop database if exists ${name} with (force)`);
  await rm(home, { recursive: true, force: true });
});

test('runs of the first release are listed as they were, and their tasks have an owner', async () => {
  const { runs } = await listRuns(db, { limit: 10 });
  expect(
    runs.map((run) => [run.status.state, run.ownerId]).toSorted(([one], [other]) => (one! < other! ? -1 : 1)),
  ).toEqual([
    ['paused', 'anna'],
    ['queued', 'ben'],
    ['succeeded', 'anna'],
  ]);
  expect(runs.find((run) => run.status.state === 'succeeded')?.pullRequest).toMatchObject({ number: 1 });
  for (const run of runs) {
    expect(await readTask(db, run.taskId)).toMatchObject({ owner: run.ownerId, origin: { by: run.ownerId } });
  }
});

test('every log of the first release folds to what its row says, and its chain holds', async () => {
  const { runs } = await listRuns(db, { limit: 10 });
  for (const run of runs) {
    expect(await verifyChain(db, run.id)).toMatchObject({ ok: true, entries: run.head.seq });
    const { use, status } = projectRun(await loadRunState(db, run.id));
    expect(use).toEqual(run.use);
    expect(status.state).toBe(run.status.state);
    // Why one waits is told anew at each look: nobody is there who could take it.
    if (status.state !== 'queued') expect(status.reason).toBe(run.status.reason);
  }
});

test('a run that the first release paused takes in what somebody asks of it', async () => {
  const { runs } = await listRuns(db, { filter: { states: ['paused'] }, limit: 1 });
  const run = runs[0]!;
  await postInbox(db, { id: 'i-later', runId: run.id, by: 'anna', request: { kind: 'resume', limits: {} } });
  const after = (await listRuns(db, { filter: { idPrefix: run.id }, limit: 1 })).runs[0];
  expect(after).toMatchObject({ inboxCount: 1, waiting: true });
});
