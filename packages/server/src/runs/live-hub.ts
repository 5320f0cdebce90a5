import type { LiveFrame } from '../domain/live.ts';

/** A watcher that reads too slowly loses frames past this many; settled events replace them. */
const maxWaitingFrames = 512;

/** Passes live frames of the runs this worker owns to whoever watches. Nothing is kept for those who come later. */
export interface LiveHub {
  /** @param prepare takes secrets out; only asked when somebody watches */
  publish(runId: string, frame: LiveFrame, prepare?: (frame: LiveFrame) => LiveFrame): void;
  /** Frames from now on, until the signal is aborted. */
  watch(runId: string, onFrame: (frame: LiveFrame) => void): () => void;
}

export function liveHub(): LiveHub {
  const watchers = new Map<string, Set<(frame: LiveFrame) => void>>();
  return {
    publish(runId, frame, prepare = (same) => same) {
      const watching = watchers.get(runId);
      if (watching === undefined) return;
      const prepared = prepare(frame);
      for (const watcher of watching) watcher(prepared);
    },
    watch(runId, onFrame) {
      const set = watchers.get(runId) ?? new Set();
      watchers.set(runId, set.add(onFrame));
      return () => {
        set.delete(onFrame);
        if (set.size === 0) watchers.delete(runId);
      };
    },
  };
}

/**
 * Joins settled events with live frames: one sequence for a viewer, in the order they happened here.
 * @param leave ends `events`: a viewer who goes away after a frame must not wait for the next event
 */
export async function* joinLive<Event>(
  events: AsyncIterable<Event>,
  watch: (onFrame: (frame: LiveFrame) => void) => () => void,
  leave: () => void,
): AsyncGenerator<{ readonly event: Event } | { readonly frame: LiveFrame }> {
  const frames: LiveFrame[] = [];
  let wake: () => void = () => undefined;
  const stop = watch((frame) => {
    if (frames.length < maxWaitingFrames) frames.push(frame);
    wake();
  });
  const iterator = events[Symbol.asyncIterator]();
  let settled: (() => IteratorResult<Event>) | null = null;
  // Listened to once each: a promise that waits through a million frames must not gather a million reactions.
  const fetchNext = (): void => {
    settled = null;
    iterator.next().then(
      (result) => {
        settled = () => result;
        wake();
      },
      (error: unknown) => {
        settled = () => {
          throw error;
        };
        wake();
      },
    );
  };
  const take = (): IteratorResult<Event> | null => settled?.() ?? null;
  fetchNext();
  try {
    for (;;) {
      for (const frame of frames.splice(0)) yield { frame };
      const next = take();
      if (next?.done === true) return;
      if (next !== null) {
        yield { event: next.value };
        fetchNext();
      } else if (frames.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    stop();
    leave();
    await iterator.return?.();
  }
}
