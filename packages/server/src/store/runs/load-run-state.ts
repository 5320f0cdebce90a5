import { emptyRunState, fold, type RunState } from '../../domain/run-state.ts';
import type { Database } from '../database.ts';
import { readEvents } from '../events/read-events.ts';
import { readFoldSnapshot, saveFoldSnapshot } from './fold-snapshot.ts';

const pageSize = 500;
/** A log that grew by more than this since its last snapshot gets a new one. */
const snapshotEvery = 1_000;

/**
 * The fold of a run's log, from its last snapshot on where there is one.
 * @throws BerthError as `readEvents`
 */
export async function loadRunState(db: Database, runId: string): Promise<RunState> {
  let state = (await readFoldSnapshot(db, runId)) ?? emptyRunState(runId);
  const from = state.seq;
  for (;;) {
    const page = await readEvents(db, runId, { afterSeq: state.seq, limit: pageSize });
    state = page.reduce(fold, state);
    if (page.length < pageSize) break;
  }
  if (state.seq - from > snapshotEvery) await saveFoldSnapshot(db, state);
  return state;
}
