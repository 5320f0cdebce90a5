import { afterAll, beforeAll, expect, test } from 'vitest';
import { sql } from 'kysely';
import { createClient, type BerthClient } from '../packages/client/src/index.ts';
import { systemClock } from '../packages/server/src/domain/clock.ts';
import { openDatabase } from '../packages/server/src/store/database.ts';
import { openWorld, type World } from './support/world.ts';

let world: World;
let client: BerthClient;
beforeAll(async () => {
  world = await openWorld({ parts: ['api'] });
  client = createClient({ socketPath: world.server.socketPath });
});
afterAll(() => world.remove());

async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return new Response(stream).text();
}

test('what is done over the API of a whole server is on record, holds, and is found when it was changed', async () => {
  const { task, run } = await client.createTask(
    { repository: world.repository('lib'), text: 'fix it', options: {}, origin: 'cli' },
    'key-1',
  );
  await client.cancel(run.id);
  const { acts } = await client.listAudit({});
  expect(acts.map(({ action, object, result }) => [action, object.id, result])).toEqual([
    ['run.cancel', run.id, 'allowed'],
    ['task.create', task.id, 'allowed'],
  ]);
  expect(await client.listAudit({ object: run.id })).toMatchObject({ acts: [{ action: 'run.cancel' }] });

  const verdict = async () => {
    const lines = (await textOf(await client.verifyAudit())).trim().split('\n');
    return (JSON.parse(lines.at(-1)!) as { verdict: { ok: boolean; findings: readonly object[] } }).verdict;
  };
  expect(await verdict()).toMatchObject({ ok: true, runs: 1 });
  expect(await client.verifyRun(run.id)).toMatchObject({ ok: true, runs: 1 });
  const exported = (await textOf(await client.exportAudit({ action: 'run' }))).trim().split('\n');
  expect(JSON.parse(exported.at(-1)!)).toMatchObject({ kind: 'end', entries: 2 });

  const db = await openDatabase({
    home: world.home,
    rootDirectory: world.databaseRoot,
    clock: systemClock,
    signal: new AbortController().signal,
  });
  try {
    await sql`update event_payloads set data = jsonb_set(data, '{text}', '"fix id"') where seq = 1`.execute(
      db.sql,
    );
  } finally {
    await db.close();
  }
  expect(await verdict()).toMatchObject({
    ok: false,
    findings: [{ problem: 'run-changed', run: run.id, seq: 1 }],
  });
});
