import type { LiveReading } from '../domain/ports/live-reading.ts';
import type { Database } from '../store/database.ts';
import type { LiveHub } from './live-hub.ts';
import { RowTail } from './row-tail.ts';
import { RunTail } from './run-tail.ts';

/** Beneath the bell: what it does not ring for (places in the queue, other processes' lost notifications). */
const pollMs = 1_000;
/** Lists are looked at anew at most so often. */
const rowRestMs = 150;

interface Watched {
  readonly tail: RunTail;
  readonly wakes: Set<() => void>;
  readonly stop: () => void;
}

/** The live side of the control plane, as the port says. */
export function liveReading(db: Database, hub: LiveHub): LiveReading {
  const runs = new Map<string, Watched>();
  const rowTail = new RowTail(db);
  const rowWakes = new Set<() => void>();
  let stopRows: (() => void) | null = null;
  let resting: AbortController | null = null;
  let polling: AbortController | null = null;

  const ringRun = ({ tail, wakes }: Watched): void => {
    tail.ring();
    for (const wake of wakes) wake();
  };
  const ringRows = (): void => {
    rowTail.ring();
    for (const wake of rowWakes) wake();
  };
  /** Many entries in a row are one look at the list. */
  const ringRowsSoon = (): void => {
    if (resting !== null) return;
    resting = new AbortController();
    db.clock.sleep(rowRestMs, resting.signal).then(
      () => {
        resting = null;
        ringRows();
      },
      () => undefined,
    );
  };
  const poll = async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      await db.clock.sleep(pollMs, signal);
      for (const watched of runs.values()) ringRun(watched);
      if (rowWakes.size > 0) ringRows();
    }
  };
  const settle = (): void => {
    const isNeeded = runs.size > 0 || rowWakes.size > 0;
    if (isNeeded && polling === null) {
      polling = new AbortController();
      poll(polling.signal).catch(() => undefined);
    } else if (!isNeeded) {
      polling?.abort();
      polling = null;
    }
  };
  const watchRun = (runId: string, wake: () => void): (() => void) => {
    let watched = runs.get(runId);
    if (watched === undefined) {
      const made: Watched = {
        tail: new RunTail(db, runId),
        wakes: new Set(),
        stop: db.bell.listen(runId, () => ringRun(made)),
      };
      runs.set(runId, made);
      watched = made;
    }
    const { wakes, stop } = watched;
    wakes.add(wake);
    return () => {
      wakes.delete(wake);
      if (wakes.size > 0 || runs.get(runId)?.wakes !== wakes) return;
      runs.delete(runId);
      stop();
    };
  };
  const watchRows = (wake: () => void): (() => void) => {
    rowWakes.add(wake);
    stopRows ??= db.bell.listenToAll(ringRowsSoon);
    return () => {
      rowWakes.delete(wake);
      if (rowWakes.size > 0) return;
      stopRows?.();
      stopRows = null;
      resting?.abort();
      resting = null;
      rowTail.forget();
    };
  };

  return {
    watch(of, wake) {
      const stops = of.runs.map((runId) => watchRun(runId, wake));
      if (of.rows) stops.push(watchRows(wake));
      settle();
      return () => {
        for (const stop of stops.splice(0)) stop();
        settle();
      };
    },
    watchFrames: (runId, onFrame) => hub.watch(runId, onFrame),
    eventsAfter: async (runId, afterSeq) => (runs.get(runId)?.tail ?? new RunTail(db, runId)).after(afterSeq),
    rowsAfter: (position, visible) => rowTail.after(position, visible),
  };
}
