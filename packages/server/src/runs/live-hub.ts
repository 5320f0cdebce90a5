import type { LiveFrame } from '../domain/live.ts';

/** A watcher that reads too slowly loses frames past this many; settled events replace them. */
const maxWaitingFrames = 512;

/** Passes live frames of the runs this worker owns to whoever watches. Nothing is kept for those who come later. */
export interface LiveHub {
  publish(runId: string, frame: LiveFrame): void;
  /** Frames from now on, until the signal is aborted. */
  watch(runId: string, onFrame: (frame: LiveFrame) => void): () => void;
}

export function liveHub(): LiveHub {
  const watchers = new Map<string, Set<(frame: LiveFrame) => void>>();
  return {
    publish(runId, frame) {
      for (const watcher of watchers.get(runId) ?? []) watcher(frame);
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

/** Joins settled events with live frames: one sequence for a viewer, in the order they happened here. */
export async function* joinLive<Event>(
  events: AsyncIterable<Event>,
  watch: (onFrame: (frame: LiveFrame) => void) => () => void,
): AsyncGenerator<{ readonly event: Event } | { readonly frame: LiveFrame }> {
  const frames: LiveFrame[] = [];
  let wake: () => void = () => undefined;
  const stop = watch((frame) => {
    if (frames.length < maxWaitingFrames) frames.push(frame);
    wake();
  });
  const iterator = events[Symbol.asyncIterator]();
  let next = iterator.next();
  try {
    for (;;) {
      const woken = new Promise<'frame'>((resolve) => {
        wake = () => resolve('frame');
      });
      const first = frames.length > 0 ? 'frame' : await Promise.race([next, woken]);
      for (const frame of frames.splice(0)) yield { frame };
      if (first === 'frame') continue;
      if (first.done === true) return;
      yield { event: first.value };
      next = iterator.next();
    }
  } finally {
    stop();
    next.catch(() => undefined);
    await iterator.return?.();
  }
}
