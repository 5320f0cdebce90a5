import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { foldAll } from '../../domain/run-state.ts';
import { testDatabase } from '../../testing/database.ts';
import { makeOwnedRun, writerOf } from '../../testing/owned-run.ts';
import { note } from '../../testing/project-run.ts';
import { readEvents } from '../events/read-events.ts';
import { readFoldSnapshot, saveFoldSnapshot } from './fold-snapshot.ts';
import { loadRunState } from './load-run-state.ts';

const store = testDatabase();

test('a long log is folded the same with and without its snapshot', async () => {
  const ownership = await makeOwnedRun(store.db);
  const { runId } = ownership;
  const writer = await writerOf(store.db, ownership);
  for (let batch = 0; batch < 6; batch += 1) {
    await writer.append([
      { type: 'step.started', data: { key: `${batch}:setup`, kind: 'setup', round: 0 } },
      ...Array.from({ length: 199 }, (_, index) => note(`${batch} ${index}`)),
    ]);
  }
  expect(await readFoldSnapshot(store.db, runId)).toBeNull();
  const whole = foldAll(runId, await readEvents(store.db, runId));
  expect(await loadRunState(store.db, runId)).toEqual(whole);
  expect(await readFoldSnapshot(store.db, runId)).toEqual(whole);
  await writer.append([note('after')]);
  expect(await loadRunState(store.db, runId)).toEqual(writer.state);
});

test('a snapshot that does not fit the log, or another fold, is not used; an older one replaces none', async () => {
  const ownership = await makeOwnedRun(store.db);
  const { runId } = ownership;
  const writer = await writerOf(store.db, ownership);
  const early = writer.state;
  await writer.append([note('one')]);
  await saveFoldSnapshot(store.db, writer.state);
  await saveFoldSnapshot(store.db, early);
  expect((await readFoldSnapshot(store.db, runId))?.seq).toBe(2);
  await sql`update run_snapshots set hash = 'x' where run_id = ${runId}`.execute(store.db.sql);
  expect(await readFoldSnapshot(store.db, runId)).toBeNull();
  await saveFoldSnapshot(store.db, writer.state);
  await sql`update run_snapshots set version = 0 where run_id = ${runId}`.execute(store.db.sql);
  expect(await readFoldSnapshot(store.db, runId)).toBeNull();
  expect(await loadRunState(store.db, runId)).toEqual(writer.state);
});
