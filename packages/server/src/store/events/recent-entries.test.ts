import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { NewEvent } from '../../domain/events/index.ts';
import { testDatabase } from '../../testing/database.ts';
import { makeOwnedRun } from '../../testing/owned-run.ts';
import { note, testProjection } from '../../testing/project-run.ts';
import { emptyRunState } from '../../domain/run-state.ts';
import { readRun } from '../runs/read-run.ts';
import { appendEvents } from './append-events.ts';
import { prepareAppend } from './prepare-append.ts';
import { readEvents } from './read-events.ts';
import { RecentEntries } from './recent-entries.ts';

const store = testDatabase();

async function ownLog() {
  const ownership = await makeOwnedRun(store.db);
  const { runId } = ownership;
  let { head } = await readRun(store.db, runId);
  const recent = new RecentEntries();
  return {
    runId,
    recent,
    async append(...events: NewEvent[]) {
      const prepared = await prepareAppend({
        runId,
        from: head,
        events,
        atMs: 1_700_000_000_000,
        redact: (value) => value,
        blobs: store.db.blobs,
      });
      await appendEvents(store.db, {
        prepared,
        ...ownership,
        projection: testProjection(emptyRunState(runId)),
      });
      head = prepared.to;
      recent.add(prepared);
    },
  };
}

const called = (input: Record<string, unknown>): NewEvent => ({
  type: 'tool.started',
  data: { id: 't1-1', step: '0:agent', name: 'bash', input, sandboxId: 's-1' },
});

test('what is kept is what reading it answers, to the order of names in hostile contents', async () => {
  const log = await ownLog();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()), { minLength: 1, maxLength: 4 }),
      async (inputs) => {
        const { seq } = (await readRun(store.db, log.runId)).head;
        await log.append(...inputs.map(called));
        const kept = log.recent.read(seq, null);
        const read = await readEvents(store.db, log.runId, { afterSeq: seq });
        expect(JSON.stringify(kept)).toBe(JSON.stringify(read));
        expect(kept).toEqual(read);
      },
    ),
    { numRuns: 60 },
  );
});

test('before anything was appended nothing is known, afterwards all that came since, and of which types', async () => {
  const log = await ownLog();
  expect(log.recent.read(1, null)).toBeNull();
  await log.append(note('a'), called({ b: 1 }));
  expect(log.recent.read(0, null)).toBeNull();
  expect(log.recent.read(1, null)?.map((event) => event.seq)).toEqual([2, 3]);
  expect(log.recent.read(2, null)?.map((event) => event.seq)).toEqual([3]);
  expect(log.recent.read(3, null)).toEqual([]);
  expect(log.recent.read(1, ['agent.told'])?.map((event) => event.seq)).toEqual([2]);
});

test('it keeps a bounded number of entries and of bytes, and says when some are gone', async () => {
  const log = await ownLog();
  for (let n = 0; n < 40; n += 1) await log.append(note(`${n}`));
  expect(log.recent.read(25, null)?.map((event) => event.seq)).toHaveLength(16);
  expect(log.recent.read(24, null)).toBeNull();
  for (let n = 0; n < 6; n += 1) await log.append(note('x'.repeat(7_000)));
  expect(log.recent.read(45, null)?.map((event) => event.seq)).toEqual([46, 47]);
  expect(log.recent.read(44, null)).toBeNull();
});

test('a payload that is too long for the database is not kept, nor what came before it', async () => {
  const log = await ownLog();
  await log.append(note('a'), note('é'.repeat(6_000)), note('b'));
  expect(log.recent.read(1, null)).toBeNull();
  expect(log.recent.read(2, null)).toBeNull();
  expect(log.recent.read(3, null)?.map((event) => event.seq)).toEqual([4]);
});
