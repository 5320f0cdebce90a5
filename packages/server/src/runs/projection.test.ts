import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { foldAll } from '../domain/run-state.ts';
import { readEvents } from '../store/events/read-events.ts';
import { readRun } from '../store/runs/read-run.ts';
import { anyEvent } from '../testing/any-event.ts';
import { testDatabase } from '../testing/database.ts';
import { makeOwnedRun } from '../testing/owned-run.ts';
import { openRunWriter } from '../testing/run-writer.ts';
import { projectRun, readState } from './own-run.ts';

const store = testDatabase();

test('what lists show of a run is the fold of its log, whatever was appended in whatever batches', async () => {
  const batches = fc.array(fc.array(anyEvent, { minLength: 1, maxLength: 8 }), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(batches, async (appends) => {
      const ownership = await makeOwnedRun(store.db);
      const { runId } = ownership;
      const { head } = await readRun(store.db, runId);
      const writer = openRunWriter(store.db, {
        ownership,
        head,
        state: await readState(store.db, runId),
        projection: projectRun,
        redact: (value) => value,
        signal: new AbortController().signal,
      });
      for (const events of appends) await writer.append(events);
      const folded = foldAll(runId, await readEvents(store.db, runId));
      expect(writer.state).toEqual(folded);
      expect(await readState(store.db, runId)).toEqual(folded);
      if (appends.length === 0) return;
      const row = await readRun(store.db, runId);
      const { status, use, pullRequest, gate } = projectRun(folded);
      expect(row.status).toEqual({ ...status, queue: null });
      expect(row.gate).toEqual(gate);
      expect(row.pullRequest).toEqual(pullRequest);
      expect({ ...row.use, costUsd: 0 }).toEqual({ ...use, costUsd: 0 });
      expect(row.use.costUsd).toBeCloseTo(use.costUsd, 6);
    }),
    { numRuns: 25 },
  );
});
