import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { emptyRunState, foldAll } from '../../domain/run-state.ts';
import { testDatabase } from '../../testing/database.ts';
import { makeOwnedRun, writerOf } from '../../testing/owned-run.ts';
import { note, testProjection } from '../../testing/project-run.ts';
import { claimRun } from '../runs/claim-run.ts';
import { postInbox } from '../runs/post-inbox.ts';
import { readInbox } from '../runs/read-inbox.ts';
import { readRun } from '../runs/read-run.ts';
import { openRunWriter } from '../../testing/run-writer.ts';
import { appendEvents } from './append-events.ts';
import { prepareAppend } from './prepare-append.ts';
import { readEvents } from './read-events.ts';
import { verifyChain } from './verify-chain.ts';

const store = testDatabase();
const keep = (value: unknown): unknown => value;

test('what is appended is read back the same, in order, without gaps, and folds to the projection', async () => {
  const ownership = await makeOwnedRun(store.db);
  const writer = await writerOf(store.db, ownership);
  const returned = (
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => writer.append([note(`${index}a`), note(`${index}b`)])),
    )
  ).flat();
  const read = await readEvents(store.db, ownership.runId, { afterSeq: 1 });
  expect(read).toEqual(returned);
  expect(read.map((event) => event.seq)).toEqual(Array.from({ length: 40 }, (_, index) => index + 2));
  const run = await readRun(store.db, ownership.runId);
  expect(run.head).toEqual(writer.head);
  expect(run.status.reason).toBe(testProjection(writer.state).status.reason);
  expect(await verifyChain(store.db, ownership.runId)).toEqual({ ok: true, entries: 41, erased: 0 });
});

test('of two owners only the later one appends, whatever the timing', async () => {
  const first = await makeOwnedRun(store.db);
  const other = await store.open();
  const old = await writerOf(store.db, first);
  const writing = (async () => {
    for (let stored = 0; ; stored += 1) {
      const code = await old.append([note(`old ${stored}`)]).then(
        () => null,
        (error: { code: string }) => error.code,
      );
      if (code !== null) return { stored, code };
    }
  })();
  while ((await readEvents(other, first.runId)).length < 6);
  const second = await claimRun(other, first.runId, first.worker);
  const fresh = await writerOf(other, second!);
  await fresh.append([note('new')]);
  const { stored, code } = await writing;
  expect(code).toBe('OWNERSHIP_LOST');
  expect(await readEvents(other, first.runId)).toHaveLength(1 + stored + 1);
  expect((await verifyChain(other, first.runId)).ok).toBe(true);
});

test('many appenders with one head: one wins, the others are told', async () => {
  const ownership = await makeOwnedRun(store.db);
  const { head } = await readRun(store.db, ownership.runId);
  const attempts = await Promise.allSettled(
    Array.from({ length: 12 }, async (_, index) => {
      const prepared = await prepareAppend({
        runId: ownership.runId,
        from: head,
        events: [note(`racer ${index}`)],
        atMs: 1_000 + index,
        redact: keep,
        blobs: store.db.blobs,
      });
      const projection = testProjection(
        prepared.stored.reduce((state) => state, emptyRunState(ownership.runId)),
      );
      await appendEvents(store.db, {
        prepared,
        worker: ownership.worker,
        epoch: ownership.epoch,
        projection,
      });
    }),
  );
  expect(attempts.filter((attempt) => attempt.status === 'fulfilled')).toHaveLength(1);
  const codes = attempts.flatMap((attempt) =>
    attempt.status === 'rejected' ? [(attempt.reason as { code: string }).code] : [],
  );
  expect(new Set(codes)).toEqual(new Set(['CONFLICT']));
  expect(await readEvents(store.db, ownership.runId)).toHaveLength(2);
});

test('an append repeated because its outcome was unknown is stored once', async () => {
  const ownership = await makeOwnedRun(store.db);
  const { head } = await readRun(store.db, ownership.runId);
  const prepared = await prepareAppend({
    runId: ownership.runId,
    from: head,
    events: [note('once')],
    atMs: 5_000,
    redact: keep,
    blobs: store.db.blobs,
  });
  const append = { prepared, ...ownership, projection: testProjection(emptyRunState(ownership.runId)) };
  await appendEvents(store.db, append);
  await appendEvents(store.db, append);
  expect(await readEvents(store.db, ownership.runId)).toHaveLength(2);
});

test('inbox entries are taken in once, with the append or not at all', async () => {
  const ownership = await makeOwnedRun(store.db);
  const { runId } = ownership;
  const request = { kind: 'message', text: 'also the docs', mode: 'now' } as const;
  expect(await postInbox(store.db, { id: 'm-1', runId, by: 'ada', request })).toBe(true);
  expect(await postInbox(store.db, { id: 'm-1', runId, by: 'ada', request })).toBe(false);
  await postInbox(store.db, { id: 'm-2', runId, by: 'ada', request: { kind: 'cancel' } });
  expect((await readRun(store.db, runId)).inboxCount).toBe(2);
  const entries = await readInbox(store.db, runId);
  expect(entries.map((entry) => [entry.id, entry.request.kind])).toEqual([
    ['m-1', 'message'],
    ['m-2', 'cancel'],
  ]);
  const writer = await writerOf(store.db, ownership);
  await writer.append([note('first')], { inboxIds: ['m-1'] });
  expect((await readInbox(store.db, runId)).map((entry) => entry.id)).toEqual(['m-2']);
  await expect(writer.append([note('again')], { inboxIds: ['m-1', 'm-2'] })).rejects.toMatchObject({
    code: 'CONFLICT',
  });
  expect((await readRun(store.db, runId)).inboxCount).toBe(1);
  expect(await readEvents(store.db, runId)).toHaveLength(2);
});

test('posting while the owner appends loses no entry', async () => {
  const ownership = await makeOwnedRun(store.db);
  const { runId } = ownership;
  const writer = await writerOf(store.db, ownership);
  const posting = Array.from({ length: 25 }, (_, index) =>
    postInbox(store.db, {
      id: `p-${runId}-${index}`,
      runId,
      by: 'ada',
      request: { kind: 'message', text: `${index}`, mode: 'now' },
    }),
  );
  const takeAll = async (): Promise<number> => {
    const entries = await readInbox(store.db, runId);
    if (entries.length === 0) return 0;
    await writer.append(
      entries.map((entry) => note(entry.id)),
      { inboxIds: entries.map((entry) => entry.id) },
    );
    return entries.length;
  };
  let taken = 0;
  while (taken < 20) taken += await takeAll();
  await Promise.all(posting);
  taken += await takeAll();
  expect(taken).toBe(25);
  expect((await readRun(store.db, runId)).inboxCount).toBe(0);
  const noted = (await readEvents(store.db, runId, { types: ['agent.told'] })).map((event) =>
    event.type === 'agent.told' ? event.data.text : '',
  );
  expect(new Set(noted).size).toBe(25);
});

test('payloads over 8 KiB are kept outside of the table and read back whole', async () => {
  const ownership = await makeOwnedRun(store.db);
  const writer = await writerOf(store.db, ownership);
  const long = 'é'.repeat(6_000);
  const [stored] = await writer.append([note(long), note('short')]);
  const { rows } = await sql<{ blob: string | null }>`
    select blob from event_payloads where run_id = ${ownership.runId} and seq > 1 order by seq`.execute(
    store.db.sql,
  );
  expect(rows.map((row) => row.blob === null)).toEqual([false, true]);
  expect((await readEvents(store.db, ownership.runId, { afterSeq: 1, limit: 1 }))[0]).toEqual(stored);
});

test('text that jsonb cannot hold is stored with visible stand-ins', async () => {
  const ownership = await makeOwnedRun(store.db);
  const writer = await writerOf(store.db, ownership);
  let deep: unknown = 'x';
  for (let level = 0; level < 5_000; level += 1) deep = [deep];
  await writer.append([
    note('a\u0000b\ud800c'),
    {
      type: 'tool.started',
      data: { id: '1', step: '1', name: 't', input: { deep, ['\u0000']: 1 }, sandboxId: 's' },
    },
  ]);
  const [first] = await readEvents(store.db, ownership.runId, { afterSeq: 1 });
  expect(first).toMatchObject({ data: { text: 'a\u2400b\ufffdc' } });
  expect((await verifyChain(store.db, ownership.runId)).ok).toBe(true);
});

test('an event without the shape of its type is refused and nothing is stored', async () => {
  const ownership = await makeOwnedRun(store.db);
  const writer = await writerOf(store.db, ownership);
  const wrong = { type: 'agent.told', data: { step: 1 } } as unknown as ReturnType<typeof note>;
  await expect(writer.append([note('fine'), wrong])).rejects.toMatchObject({ code: 'EVENT_INVALID' });
  expect(await readEvents(store.db, ownership.runId)).toHaveLength(1);
  await writer.append([note('goes on')]);
});

test('secrets are taken out before anything is stored', async () => {
  const ownership = await makeOwnedRun(store.db);
  const { head } = await readRun(store.db, ownership.runId);
  const writer = openRunWriter(store.db, {
    ownership,
    head,
    state: foldAll(ownership.runId, await readEvents(store.db, ownership.runId)),
    projection: testProjection,
    redact: (value) => JSON.parse(JSON.stringify(value).replaceAll('hunter2', '[secret]')) as unknown,
    signal: new AbortController().signal,
  });
  const [stored] = await writer.append([note('the password is hunter2')]);
  expect(stored).toMatchObject({ data: { text: 'the password is [secret]' } });
  expect(await readEvents(store.db, ownership.runId, { afterSeq: 1 })).toEqual([stored]);
});

test('an inbox entry that comes to nothing is taken in without an entry in the log', async () => {
  const ownership = await makeOwnedRun(store.db);
  const { runId } = ownership;
  await postInbox(store.db, { id: 'm-nothing', runId, by: 'ada', request: { kind: 'cancel' } });
  const writer = await writerOf(store.db, ownership);
  await writer.append([], { inboxIds: ['m-nothing'] });
  expect(await readInbox(store.db, runId)).toEqual([]);
  expect(await readEvents(store.db, runId)).toHaveLength(1);
  await writer.append([note('goes on')]);
});
