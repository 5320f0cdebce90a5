import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { systemClock } from '../../domain/clock.ts';
import { emptyRunState } from '../../domain/run-state.ts';
import { testDatabase } from '../../testing/database.ts';
import { makeOwnedRun, makeWorker, writerOf } from '../../testing/owned-run.ts';
import { note, testProjection } from '../../testing/project-run.ts';
import { claimRun, type Ownership } from '../runs/claim-run.ts';
import { postInbox } from '../runs/post-inbox.ts';
import { readInbox } from '../runs/read-inbox.ts';
import { readRun } from '../runs/read-run.ts';
import { withRetry } from '../with-retry.ts';
import { type Append, appendEvents } from './append-events.ts';
import { prepareAppend } from './prepare-append.ts';
import { readEvents } from './read-events.ts';
import { verifyChain } from './verify-chain.ts';

const store = testDatabase();

async function runs(count: number): Promise<readonly Ownership[]> {
  const worker = await makeWorker(store.db);
  return Promise.all(Array.from({ length: count }, () => makeOwnedRun(store.db, worker)));
}

async function appendOf(ownership: Ownership, text: string): Promise<Append> {
  const { runId } = ownership;
  const { head } = await readRun(store.db, runId);
  const prepared = await prepareAppend({
    runId,
    from: head,
    events: [note(text), note(`${text} too`)],
    atMs: 1_700_000_000_000,
    redact: (value) => value,
    blobs: store.db.blobs,
  });
  return { prepared, ...ownership, projection: testProjection(emptyRunState(runId)) };
}

const seqs = async ({ runId }: Ownership): Promise<readonly number[]> =>
  (await readEvents(store.db, runId)).map((event) => event.seq);

/** The first goes alone, so that all others share a statement. */
async function together(appends: readonly Append[]): Promise<readonly string[]> {
  const [first] = await runs(1);
  const outcomes = await Promise.allSettled(
    [await appendOf(first!, 'first'), ...appends].map((append) => appendEvents(store.db, append)),
  );
  return outcomes
    .slice(1)
    .map((one) => (one.status === 'fulfilled' ? 'stored' : String((one.reason as { code?: string }).code)));
}

test('runs that append at once share commits, and each log is whole', async () => {
  const owned = await runs(30);
  const writers = await Promise.all(owned.map((one) => writerOf(store.db, one)));
  await Promise.all(
    writers.map(async (writer) => {
      for (let n = 0; n < 10; n += 1) await writer.append([note(`${n}`)]);
    }),
  );
  for (const [place, one] of owned.entries()) {
    expect(await seqs(one)).toEqual(Array.from({ length: 11 }, (_, n) => n + 1));
    expect(await verifyChain(store.db, one.runId)).toEqual({ ok: true, entries: 11, erased: 0 });
    expect((await readRun(store.db, one.runId)).head).toEqual(writers[place]!.head);
  }
  const { rows } = await sql<{ commits: number }>`
    select count(distinct xmin::text)::int as commits from events
    where run_id = any(${owned.map((one) => one.runId)}::text[]) and seq > 1`.execute(store.db.sql);
  expect(rows[0]!.commits).toBeLessThan(150);
});

test('in a shared statement each run is judged for itself: a lost one, a wrong head, a taken inbox entry', async () => {
  const owned = await runs(6);
  const [lost, stale, asked, taken] = [owned[0]!, owned[1]!, owned[2]!, owned[3]!];
  const appends = await Promise.all(owned.map((one) => appendOf(one, 'a')));
  await claimRun(store.db, lost.runId, lost.worker);
  await (await writerOf(store.db, stale)).append([note('before')]);
  for (const { runId } of [asked, taken]) {
    await postInbox(store.db, { id: `m-${runId}`, runId, by: 'ada', request: { kind: 'cancel' } });
  }
  appends[2] = { ...appends[2]!, inboxIds: [`m-${asked.runId}`] };
  appends[3] = { ...appends[3]!, inboxIds: [`m-${taken.runId}`, 'm-none'] };
  expect(await together(appends)).toEqual([
    'OWNERSHIP_LOST',
    'CONFLICT',
    'stored',
    'CONFLICT',
    'stored',
    'stored',
  ]);
  expect(await Promise.all(owned.map(seqs))).toEqual([[1], [1, 2], [1, 2, 3], [1], [1, 2, 3], [1, 2, 3]]);
  expect(await readInbox(store.db, asked.runId)).toEqual([]);
  expect(await readInbox(store.db, taken.runId)).toHaveLength(1);
  expect((await readRun(store.db, asked.runId)).inboxCount).toBe(0);
});

test('repeated because its outcome was unknown, each of them is stored once', async () => {
  const owned = await runs(5);
  const appends = await Promise.all(owned.map((one) => appendOf(one, 'once')));
  expect(new Set(await together(appends))).toEqual(new Set(['stored']));
  expect(new Set(await together([...appends, ...appends]))).toEqual(new Set(['stored']));
  for (const one of owned) expect(await seqs(one)).toEqual([1, 2, 3]);
});

test('one that the database cannot hold is the only one that is refused', async () => {
  const owned = await runs(4);
  const appends = await Promise.all(owned.map((one) => appendOf(one, 'a')));
  const { prepared } = appends[1]!;
  const rows = prepared.rows.map((row) => ({ ...row, data: String.raw`{"text":"\u0000"}` }));
  appends[1] = { ...appends[1]!, prepared: { ...prepared, rows } };
  const outcomes = await together(appends);
  expect(outcomes.map((one) => one === 'stored')).toEqual([true, false, true, true]);
  expect(await seqs(owned[1]!)).toEqual([1]);
});

test('a run whose row somebody holds waits for it, and the others do not', async () => {
  const owned = await runs(4);
  const appends = await Promise.all(owned.map((one) => appendOf(one, 'a')));
  const slow = owned[2]!.runId;
  const isStored = new Set<string>();
  let storing: Promise<unknown> = Promise.resolve();
  await store.db.sql.transaction().execute(async (transaction) => {
    await sql`select from runs where id = ${slow} for update`.execute(transaction);
    const [first] = await runs(1);
    storing = Promise.all(
      [await appendOf(first!, 'first'), ...appends].map(async (append) => {
        await appendEvents(store.db, append);
        isStored.add(append.prepared.runId);
      }),
    );
    await expect.poll(() => isStored.size).toBe(4);
    expect(isStored.has(slow)).toBe(false);
  });
  await storing;
  expect(isStored.has(slow)).toBe(true);
});

test('when connections are cut under shared statements nothing is lost or doubled', async () => {
  const owned = await runs(20);
  const writers = await Promise.all(owned.map((one) => writerOf(store.db, one)));
  const other = await store.open();
  let done = 0;
  const writing = Promise.all(
    writers.map(async (writer) => {
      for (let n = 0; n < 15; n += 1) await writer.append([note(`${n}`)]);
      done += 1;
    }),
  );
  for (let cuts = 0; cuts < 6 && done < owned.length; cuts += 1) {
    await withRetry(systemClock, AbortSignal.timeout(60_000), () =>
      sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
        and backend_type = 'client backend' and pid <> pg_backend_pid()`.execute(other.sql),
    );
    await systemClock.sleep(20);
  }
  await writing;
  for (const one of owned) {
    const log = await withRetry(systemClock, AbortSignal.timeout(60_000), () =>
      readEvents(store.db, one.runId),
    );
    expect(log.map((event) => event.seq)).toEqual(Array.from({ length: 16 }, (_, n) => n + 1));
    const texts = log.flatMap((event) => (event.type === 'agent.told' ? [event.data.text] : []));
    expect(texts).toEqual(Array.from({ length: 15 }, (_, n) => String(n)));
  }
});

test('words that were cut in the middle of a character are stored', async () => {
  const [one] = await runs(1);
  const append = await appendOf(one!, 'a');
  const { status } = append.projection;
  await appendEvents(store.db, {
    ...append,
    projection: {
      ...append.projection,
      status: { ...status, reason: 'cut \ud83d', next: '\udc00 and \u0000' },
    },
  });
  expect((await readRun(store.db, one!.runId)).status.reason).toBe('cut \ufffd');
});
