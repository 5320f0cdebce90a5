import { foldAll } from '../domain/run-state.ts';
import type { Database } from '../store/database.ts';
import { readEvents } from '../store/events/read-events.ts';
import { claimRun, type Ownership } from '../store/runs/claim-run.ts';
import { readRun } from '../store/runs/read-run.ts';
import { registerWorker } from '../store/workers/register-worker.ts';
import { makeRun, testProjection } from './project-run.ts';
import { openRunWriter, type RunWriter } from './run-writer.ts';

let workers = 0;

/** A registered worker whose lease outlasts the test. */
export async function makeWorker(db: Database, ttlMs = 600_000): Promise<string> {
  workers += 1;
  const id = `w-${process.pid}-${workers}`;
  await registerWorker(db, { id, address: null, ttlMs });
  return id;
}

/** A run and its owner. */
export async function makeOwnedRun(db: Database, worker?: string): Promise<Ownership> {
  const { runId } = await makeRun(db);
  const ownership = await claimRun(db, runId, worker ?? (await makeWorker(db)));
  if (ownership === null) throw new Error('a new run has no owner');
  return ownership;
}

/** The pen of `ownership`, from the log as it is now. */
export async function writerOf(db: Database, ownership: Ownership): Promise<RunWriter> {
  const { head } = await readRun(db, ownership.runId);
  return openRunWriter(db, {
    ownership,
    head,
    state: foldAll(ownership.runId, await readEvents(db, ownership.runId)),
    projection: testProjection,
    redact: (value) => value,
    signal: new AbortController().signal,
  });
}
