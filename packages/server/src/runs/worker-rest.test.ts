import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Clock } from '../domain/ports/clock.ts';
import { testDatabase } from '../testing/database.ts';
import { makeRun } from '../testing/project-run.ts';
import { liveHub } from './live-hub.ts';
import { startWorker } from './worker.ts';

const store = testDatabase();
const home = mkdtempSync(join(tmpdir(), 'berth-worker-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

test('a run whose log cannot be written is left alone for a while, not tried without end', async () => {
  const { db } = store;
  const rests: number[] = [];
  const clock: Clock = {
    nowMs: () => db.clock.nowMs(),
    monotonicMs: () => db.clock.monotonicMs(),
    sleep: (ms, signal) => {
      if (ms !== 5_000) return db.clock.sleep(ms, signal);
      rests.push(ms);
      return new Promise((_resolve, reject) =>
        signal?.addEventListener('abort', () => reject(new Error('over')), { once: true }),
      );
    },
  };
  await makeRun(db);
  const errors: string[] = [];
  const worker = startWorker({
    db: { ...db, clock },
    hub: liveHub(),
    home,
    redact: () => {
      throw new Error('cannot be written');
    },
    equip: () => Promise.reject(new Error('not asked for')),
    maxRuns: 2,
    onError: (error) => errors.push(error.message),
  });
  await expect.poll(() => rests).toEqual([5_000]);
  // It is still owned, and nobody tries it meanwhile.
  expect(worker.owned()).toHaveLength(1);
  expect(errors).toHaveLength(1);
  await worker.stop();
});
