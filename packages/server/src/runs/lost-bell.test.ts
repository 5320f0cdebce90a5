import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { BerthError } from '../domain/errors/index.ts';
import { newId } from '../domain/ids.ts';
import { sql } from 'kysely';
import { testDatabase } from '../testing/database.ts';
import { makeRun } from '../testing/project-run.ts';
import { liveHub } from './live-hub.ts';
import { readState } from './own-run.ts';
import { startWorker } from './worker.ts';

const store = testDatabase();
const home = mkdtempSync(join(tmpdir(), 'berth-worker-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

test('what is asked of a run reaches its owner although no bell rang for it', async () => {
  const { db } = store;
  const { runId } = await makeRun(db);
  const begun = Promise.withResolvers<void>();
  const worker = startWorker({
    db,
    hub: liveHub(),
    home,
    redact: (value) => value,
    equip: ({ signal }) =>
      new Promise((_resolve, reject) => {
        begun.resolve();
        signal.addEventListener('abort', () => reject(new BerthError('GIT_FAILED')), { once: true });
      }),
    maxRuns: 1,
    onError: () => undefined,
  });
  await begun.promise;
  // As `postInbox` writes it, by somebody whose notification was lost.
  await sql`insert into inbox (id, run_id, kind, data, by) values (${newId('i', Date.now())}, ${runId}, 'cancel', '{}', 'test')`.execute(
    db.sql,
  );
  await sql`update runs set inbox_count = inbox_count + 1 where id = ${runId}`.execute(db.sql);
  await expect.poll(async () => (await readState(db, runId)).ended?.code).toBe('RUN_CANCELLED');
  await worker.stop();
});
