import type { EventSink } from '../domain/ports/event-sink.ts';
import type { Checkpoint } from '../domain/run-state.ts';

/** Saves now, or soon; requests that come while one is being saved share the next. */
export interface Checkpointer {
  soon(): void;
  now(): Promise<Checkpoint>;
  /** Resolves when nothing is under way. */
  settled(): Promise<void>;
}

/**
 * Coalesces checkpoints: at most one is being saved and one waits. An unchanged tree is not recorded again.
 * A failed `soon` is no failure of the run: the next one, at the latest that of the step's end, tells.
 */
export function checkpointer(
  save: () => Promise<Checkpoint>,
  last: () => Checkpoint | null,
  events: EventSink,
): Checkpointer {
  let running: Promise<Checkpoint> | null = null;
  let waiting: Promise<Checkpoint> | null = null;

  const saveOnce = async (): Promise<Checkpoint> => {
    const saved = await save();
    const before = last();
    if (
      before?.tree === saved.tree &&
      before.proposalTree === saved.proposalTree &&
      before.blob === saved.blob
    )
      return before;
    await events.append({ type: 'checkpoint.saved', data: saved });
    return saved;
  };

  const start = (): Promise<Checkpoint> => {
    const started = saveOnce().finally(() => {
      if (running === started) running = null;
    });
    running = started;
    return started;
  };

  const now = (): Promise<Checkpoint> => {
    if (running === null) return start();
    waiting ??= running.then(noop, noop).then(() => {
      waiting = null;
      return start();
    });
    return waiting;
  };

  return {
    soon() {
      now().catch(noop);
    },
    now,
    async settled() {
      await (waiting ?? running)?.then(noop, noop);
    },
  };
}

function noop(): void {}
