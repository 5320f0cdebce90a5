import { emptyViewState, foldView, type ViewState } from '../domain/view-state.ts';
import type { Database } from '../store/database.ts';
import { readEvents } from '../store/events/read-events.ts';
import { readViewSnapshot, saveViewSnapshot } from '../store/runs/view-snapshot.ts';

/** A snapshot is kept at each multiple of this: any other entry is fewer entries away. */
const snapshotEvery = 250;
/** Runs whose newest view is kept in memory; each is some tens of kilobytes. */
const maxKept = 200;

/** What people see of runs, at their newest entry and at any other. */
export interface RunViews {
  /**
   * The view after entry `seq` (which the log must have), from the nearest one that is known.
   * @throws BerthError as `readEvents`
   */
  at(runId: string, seq: number): Promise<ViewState>;
}

/** Keeps the newest view of each run that is looked at, so that looking again folds only what is new. */
export function runViews(db: Database): RunViews {
  const kept = new Map<string, ViewState>();
  const loading = new Map<string, Promise<ViewState>>();

  const keep = (runId: string, view: ViewState): void => {
    const before = kept.get(runId);
    kept.delete(runId);
    kept.set(runId, before !== undefined && before.run.seq > view.run.seq ? before : view);
    const oldest = kept.keys().next();
    if (kept.size > maxKept && oldest.done !== true) kept.delete(oldest.value);
  };

  const load = async (runId: string, seq: number): Promise<ViewState> => {
    const known = kept.get(runId);
    let view = known !== undefined && known.run.seq <= seq ? known : null;
    if (view === null || seq - view.run.seq > snapshotEvery) {
      const saved = await readViewSnapshot(db, runId, seq);
      if (saved !== null && saved.run.seq > (view?.run.seq ?? 0)) view = saved;
    }
    view ??= emptyViewState(runId);
    for (let from = view.run.seq; from < seq;) {
      const to = Math.min(seq, from - (from % snapshotEvery) + snapshotEvery);
      const page = await readEvents(db, runId, { afterSeq: from, beforeSeq: to + 1, withoutErased: true });
      view = foldView(view, page);
      // Entries whose contents were erased are not folded, and yet lie behind.
      if (view.run.seq < to) view = { ...view, run: { ...view.run, seq: to } };
      from = to;
      // A snapshot that could not be kept is made again by the next who looks.
      if (to % snapshotEvery === 0) {
        await saveViewSnapshot(db, runId, view).catch(() => undefined);
      }
    }
    return view;
  };

  return {
    async at(runId, seq) {
      const known = kept.get(runId);
      if (known?.run.seq === seq) return known;
      const key = `${runId} ${seq}`;
      const under = loading.get(key);
      if (under !== undefined) return under;
      const made = load(runId, seq).finally(() => loading.delete(key));
      loading.set(key, made);
      const view = await made;
      keep(runId, view);
      return view;
    },
  };
}
