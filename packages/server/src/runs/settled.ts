import type { Database } from '../store/database.ts';
import { readRun } from '../store/runs/read-run.ts';
import type { RunRecord } from '../store/runs/run-record.ts';

/** How long an act waits for the run's owner to take it in before it answers with what is known by then. */
const takeInMs = 3_000;

/** The run once its owner has taken in what was asked, or as it is after a bounded wait. */
export const takenIn = (db: Database, runId: string): Promise<RunRecord> =>
  settled(db, runId, (run) => run.inboxCount === 0);

/** The run once `isSettled` holds, or as it is after a bounded wait. Woken by the run's own bell. */
export async function settled(
  db: Database,
  runId: string,
  isSettled: (run: RunRecord) => boolean,
): Promise<RunRecord> {
  const deadlineMs = db.clock.monotonicMs() + takeInMs;
  let wake: () => void = () => undefined;
  const stop = db.bell.listen(runId, () => wake());
  try {
    for (;;) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const run = await readRun(db, runId);
      const leftMs = deadlineMs - db.clock.monotonicMs();
      if (isSettled(run) || leftMs <= 0) return run;
      const pause = new AbortController();
      await Promise.race([woken, db.clock.sleep(Math.min(leftMs, 250), pause.signal).catch(() => undefined)]);
      pause.abort();
    }
  } finally {
    stop();
  }
}
