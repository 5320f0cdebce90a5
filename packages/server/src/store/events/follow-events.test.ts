import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { testDatabase } from '../../testing/database.ts';
import { makeOwnedRun, writerOf } from '../../testing/owned-run.ts';
import { note } from '../../testing/project-run.ts';
import type { Database } from '../database.ts';
import { followEvents } from './follow-events.ts';

const store = testDatabase();

/** Follows from another process's view until `count` entries came. */
async function follow(
  db: Database,
  runId: string,
  afterSeq: number,
  count: number,
  pollMs: number,
): Promise<number[]> {
  const done = new AbortController();
  const seqs: number[] = [];
  for await (const event of followEvents(db, runId, afterSeq, done.signal, pollMs)) {
    seqs.push(event.seq);
    if (seqs.length === count) done.abort();
  }
  return seqs;
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

test('a follower elsewhere is woken by the bell, long before its slow poll', async () => {
  const other = await store.open();
  const ownership = await makeOwnedRun(store.db);
  const following = follow(other, ownership.runId, 0, 41, 60_000);
  const writer = await writerOf(store.db, ownership);
  for (let index = 0; index < 40; index += 1) await writer.append([note(String(index))]);
  expect(await following).toEqual(upTo(41));
});

test('nothing is lost or repeated when the connections of followers are cut again and again', async () => {
  const other = await store.open();
  const ownership = await makeOwnedRun(store.db);
  const following = Promise.all([
    follow(other, ownership.runId, 0, 201, 200),
    follow(other, ownership.runId, 100, 101, 200),
  ]);
  const writer = await writerOf(store.db, ownership);
  for (let index = 0; index < 200; index += 1) {
    await writer.append([note(String(index))]);
    if (index % 25 === 0) {
      await sql`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`.execute(store.db.sql);
    }
  }
  const [all, half] = await following;
  expect(all).toEqual(upTo(201));
  expect(half).toEqual(upTo(201).slice(100));
});

test('a follower ends when its signal is aborted, also while it waits', async () => {
  const ownership = await makeOwnedRun(store.db);
  const done = new AbortController();
  const following = (async () => {
    const seqs: number[] = [];
    for await (const event of followEvents(store.db, ownership.runId, 0, done.signal)) {
      seqs.push(event.seq);
      setImmediate(() => done.abort());
    }
    return seqs;
  })();
  expect(await following).toEqual([1]);
});
