import type { StoredEvent } from '../../domain/events/index.ts';
import type { Database } from '../database.ts';
import { isUnavailable } from '../unavailable.ts';
import { readEvents } from './read-events.ts';

const pageSize = 200;
const slowPollMs = 2_000;

/**
 * The log of a run from after `afterSeq` on, as it grows, until `signal` is aborted. Nothing is lost or repeated,
 * across reconnects too; while the database is away it waits.
 * @throws BerthError as `readEvents`, except `DATABASE_UNAVAILABLE`; the signal's reason is not thrown
 */
export async function* followEvents(
  db: Database,
  runId: string,
  afterSeq: number,
  signal: AbortSignal,
  pollMs = slowPollMs,
): AsyncGenerator<StoredEvent, void, undefined> {
  let seq = afterSeq;
  let hasRung = false;
  let wakeUp: () => void = () => undefined;
  const stop = db.bell.listen(runId, () => {
    hasRung = true;
    wakeUp();
  });
  try {
    while (!signal.aborted) {
      hasRung = false;
      const page = await readEvents(db, runId, { afterSeq: seq, limit: pageSize }).catch((error: unknown) => {
        if (isUnavailable(error)) return [];
        throw error;
      });
      for (const event of page) {
        if (signal.aborted) return;
        seq = event.seq;
        yield event;
      }
      // A page that is not full was all there was; what came since has rung.
      if (page.length < pageSize && !hasRung && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const pause = new AbortController();
          wakeUp = () => {
            signal.removeEventListener('abort', wakeUp);
            pause.abort();
            resolve();
          };
          signal.addEventListener('abort', wakeUp, { once: true });
          db.clock.sleep(pollMs, pause.signal).then(wakeUp, () => undefined);
        });
      }
    }
  } finally {
    stop();
  }
}
