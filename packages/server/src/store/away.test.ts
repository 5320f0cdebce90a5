import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../domain/clock.ts';
import { makeOwnedRun, writerOf } from '../testing/owned-run.ts';
import { note } from '../testing/project-run.ts';
import { openDatabase, type Database } from './database.ts';
import { followEvents } from './events/follow-events.ts';
import { readEvents } from './events/read-events.ts';
import { verifyChain } from './events/verify-chain.ts';
import { readRun } from './runs/read-run.ts';
import { withRetry } from './with-retry.ts';
import { sql } from 'kysely';

// A server of its own, because it is stopped and killed.
let directory = '';
let db: Database;

beforeAll(async () => {
  directory = await mkdtemp('/var/tmp/berth-away-');
  await chmod(directory, 0o711);
  db = await openDatabase({
    home: join(directory, 'home'),
    rootDirectory: join(directory, 'root'),
    clock: systemClock,
    signal: AbortSignal.timeout(120_000),
  });
});
afterAll(async () => {
  await db.close();
  // The keeper of the database may just be leaving.
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
});

async function serverPids(): Promise<{ postmaster: number; all: number[] }> {
  const { rows } = await sql<{ pid: number }>`select pid from pg_stat_activity`.execute(db.sql);
  const { rows: main } = await sql<{ pid: number }>`
    select (string_to_array(pg_read_file('postmaster.pid'), e'\\n'))[1]::int as pid`.execute(db.sql);
  const postmaster = main[0]!.pid;
  return { postmaster, all: [postmaster, ...rows.map((row) => row.pid)] };
}

/** A backend may have ended since it was looked up. */
function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

test.each([
  [
    'answers nothing for some seconds',
    async () => {
      const { all } = await serverPids();
      for (const pid of all) signalIfThere(pid, 'SIGSTOP');
      await systemClock.sleep(3_000);
      for (const pid of all) signalIfThere(pid, 'SIGCONT');
    },
  ],
  [
    'is killed',
    async () => {
      process.kill((await serverPids()).postmaster, 'SIGKILL');
    },
  ],
  [
    'cuts its connections in the middle of statements',
    async () => {
      for (let round = 0; round < 10; round += 1) {
        await sql`select pg_terminate_backend(pid) from pg_stat_activity
          where backend_type = 'client backend' and pid <> pg_backend_pid()`.execute(db.sql);
      }
    },
  ],
])('when the database %s, appends wait and nothing is lost or doubled', async (_what, disturb) => {
  const ownership = await makeOwnedRun(db);
  const writer = await writerOf(db, ownership);
  const followed: number[] = [];
  const done = new AbortController();
  const following = (async () => {
    for await (const event of followEvents(db, ownership.runId, 0, done.signal, 200)) {
      followed.push(event.seq);
      if (event.seq === 151) done.abort();
    }
  })();
  let disturbing: Promise<void> = Promise.resolve();
  for (let index = 0; index < 150; index += 1) {
    if (index === 50) disturbing = disturb();
    await writer.append([note(String(index))]);
  }
  await disturbing;
  const log = await withRetry(db.clock, AbortSignal.timeout(120_000), () => readEvents(db, ownership.runId));
  const texts = log.flatMap((event) => (event.type === 'agent.told' ? [event.data.text] : []));
  expect(texts).toEqual(Array.from({ length: 150 }, (_, index) => String(index)));
  expect(log.map((event) => event.seq)).toEqual(Array.from({ length: 151 }, (_, index) => index + 1));
  expect(await verifyChain(db, ownership.runId)).toEqual({ ok: true, entries: 151, erased: 0 });
  expect((await readRun(db, ownership.runId)).head).toEqual(writer.head);
  await following;
  expect(followed).toEqual(log.map((event) => event.seq));
});

test('waiting for the database ends with the signal', async () => {
  const stop = new AbortController();
  const waiting = withRetry(db.clock, stop.signal, () =>
    sql`select pg_terminate_backend(pg_backend_pid())`
      .execute(db.sql)
      .finally(() => stop.abort(new Error('enough'))),
  );
  await expect(waiting).rejects.toThrowError('enough');
});
