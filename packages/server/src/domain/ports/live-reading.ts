import type { VisibleProjects } from '../access.ts';
import type { LiveFrame } from '../live.ts';
import type { EventSummary, RunRow } from '../run-views.ts';
import type { EventView } from '../views.ts';

/** A row of the list of runs as it is after a change. */
export interface ChangedRow {
  readonly row: RunRow;
  /** Goes on after this change. */
  readonly position: string;
}

/**
 * What live streams are made of; part of the control plane. One set of watchers and one look at the database serve all
 * streams of a process: a stream itself only holds how far it is, and takes what is new at its own pace.
 */
export interface LiveReading {
  /** Calls `wake` when there may be something new, until the answer is called. It may ring without a reason. */
  watch(of: { readonly runs: readonly string[]; readonly rows: boolean }, wake: () => void): () => void;
  /** Live frames of a run from now on. */
  watchFrames(runId: string, onFrame: (frame: LiveFrame) => void): () => void;
  /** The next entries of a run's log, at most some hundred; empty: there are none yet. */
  eventsAfter(
    runId: string,
    afterSeq: number,
  ): Promise<readonly { readonly full: EventView; readonly summary: EventSummary }[]>;
  /**
   * The next changes among the rows of runs, and where to go on. `position` null: from now on.
   * @throws BerthError `CURSOR_INVALID`
   */
  rowsAfter(
    position: string | null,
    visible: VisibleProjects,
  ): Promise<{ readonly rows: readonly ChangedRow[]; readonly position: string }>;
}
