import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { testDatabase } from '../../testing/database.ts';
import { makeOwnedRun, writerOf } from '../../testing/owned-run.ts';
import { note } from '../../testing/project-run.ts';
import { verifyChain } from './verify-chain.ts';
import { erasePayloads } from './erase-payloads.ts';
import { readEvents } from './read-events.ts';

const store = testDatabase();

async function logOfFive(): Promise<string> {
  const ownership = await makeOwnedRun(store.db);
  const writer = await writerOf(store.db, ownership);
  await writer.append([note('one'), note('two'), note('x'.repeat(9_000)), note('four')]);
  expect(await verifyChain(store.db, ownership.runId)).toEqual({ ok: true, entries: 5, erased: 0 });
  return ownership.runId;
}

const changes: readonly [string, string, { readonly seq: number; readonly problem: string }][] = [
  [
    'the type of an entry',
    `update events set type = 'agent.tolt' where run_id = $ and seq = 3`,
    { seq: 3, problem: 'entry-changed' },
  ],
  [
    'the version of an entry',
    `update events set version = 2 where run_id = $ and seq = 2`,
    { seq: 2, problem: 'entry-changed' },
  ],
  [
    'the time of an entry',
    `update events set at = at + interval '1 ms' where run_id = $ and seq = 3`,
    { seq: 3, problem: 'entry-changed' },
  ],
  [
    'the hash of an entry',
    `update events set hash = repeat('0', 64) where run_id = $ and seq = 3`,
    { seq: 3, problem: 'entry-changed' },
  ],
  [
    'one letter of a payload',
    `update event_payloads set data = jsonb_set(data, '{text}', '"twp"') where run_id = $ and seq = 3`,
    { seq: 3, problem: 'payload-changed' },
  ],
  [
    'a payload for another blob',
    `update event_payloads set blob = 'sha256-' || repeat('0', 64) where run_id = $ and seq = 4`,
    { seq: 4, problem: 'payload-missing' },
  ],
  [
    'a payload taken away',
    `delete from event_payloads where run_id = $ and seq = 3`,
    { seq: 3, problem: 'payload-missing' },
  ],
  [
    'an entry taken away',
    `with p as (delete from event_payloads where run_id = $ and seq = 3) delete from events where run_id = $ and seq = 3`,
    { seq: 3, problem: 'gap' },
  ],
  [
    'the tail taken away',
    `with p as (delete from event_payloads where run_id = $ and seq > 3) delete from events where run_id = $ and seq > 3`,
    { seq: 4, problem: 'truncated' },
  ],
];

test.each(changes)('a change of %s is found at that row', async (_what, change, found) => {
  const runId = await logOfFive();
  await store.db.sql.transaction().execute(async (transaction) => {
    // As somebody with the database in hand would: without the help of its constraints.
    await sql`set local session_replication_role = replica`.execute(transaction);
    await sql.raw(change.replaceAll('$', `'${runId}'`)).execute(transaction);
  });
  expect(await verifyChain(store.db, runId)).toMatchObject({ ok: false, ...found });
});

test('erased contents are gone, and the chain is still valid', async () => {
  const runId = await logOfFive();
  await erasePayloads(store.db, runId, [2, 4]);
  expect(await verifyChain(store.db, runId)).toEqual({ ok: true, entries: 5, erased: 2 });
  await expect(readEvents(store.db, runId)).rejects.toMatchObject({ code: 'EVENT_ERASED' });
  expect(await readEvents(store.db, runId, { afterSeq: 4 })).toHaveLength(1);
});
