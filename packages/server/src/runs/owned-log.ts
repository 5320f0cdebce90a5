import type { EventType, NewEvent, StoredEvent } from '../domain/events/index.ts';
import type { LiveFrame } from '../domain/live.ts';
import type { EventSink } from '../domain/ports/event-sink.ts';
import type { RunLog } from '../domain/ports/run-context.ts';
import { fold, type RunState } from '../domain/run-state.ts';

/** A batch made ready to be written once; writing it again after an unknown outcome changes nothing. */
export interface Prepared {
  readonly stored: readonly StoredEvent[];
}

export interface OwnedLogParts<Batch extends Prepared> {
  readonly initial: RunState;
  /** Checks, redacts, numbers and chains events after the last batch that was committed. */
  prepare(events: readonly NewEvent[]): Promise<Batch>;
  /**
   * Makes a batch durable, in one statement that checks ownership, and takes the inbox entries in with it. Waits
   * while the database is away.
   */
  commit(batch: Batch, after: RunState, inboxIds: readonly string[]): Promise<void>;
  read(filter: { afterSeq: number; types: readonly EventType[] | null }): Promise<readonly StoredEvent[]>;
  live(frame: LiveFrame): void;
}

/** The log of a run this worker owns. */
export interface OwnedLog extends EventSink, RunLog {
  /** Turns inbox entries into events, exactly once: both happen in one statement. */
  takeIn(inboxIds: readonly string[], events: readonly NewEvent[]): Promise<void>;
}

interface Waiting {
  readonly events: readonly NewEvent[];
  readonly inboxIds: readonly string[];
  readonly resolve: (stored: StoredEvent[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Appends are written one statement at a time; those that come while one is being written share the next. After
 * the first refusal nothing is written any more: the run is somebody else's, or its log is not what we thought. An
 * event that cannot be stored is refused by itself and breaks nothing.
 */
export function ownedLog<Batch extends Prepared>(parts: OwnedLogParts<Batch>): OwnedLog {
  let state = parts.initial;
  let broken: { readonly error: unknown } | null = null;
  let writing = false;
  /** One of those that wait cannot be stored: they are written one by one until the queue is empty. */
  let mustWriteAlone = false;
  const queue: Waiting[] = [];

  /** Null: nothing of these is written now. An event that cannot be stored is refused alone, and the log stays whole. */
  const prepareAll = async (waiting: readonly Waiting[]): Promise<Batch | null> => {
    try {
      if (broken !== null) throw broken.error;
      return await parts.prepare(waiting.flatMap((one) => one.events));
    } catch (error) {
      if (waiting.length > 1) {
        queue.unshift(...waiting);
        mustWriteAlone = true;
      } else waiting[0]?.reject(error);
      return null;
    }
  };

  const write = async (): Promise<void> => {
    writing = true;
    while (queue.length > 0) {
      const waiting = queue.splice(0, mustWriteAlone ? 1 : queue.length);
      mustWriteAlone &&= queue.length > 0;
      const batch = await prepareAll(waiting);
      if (batch === null) continue;
      try {
        if (broken !== null) throw broken.error;
        const after = batch.stored.reduce(fold, state);
        await parts.commit(
          batch,
          after,
          waiting.flatMap((one) => one.inboxIds),
        );
        state = after;
        let from = 0;
        for (const one of waiting) {
          one.resolve(batch.stored.slice(from, from + one.events.length));
          from += one.events.length;
        }
      } catch (error) {
        broken ??= { error };
        for (const one of waiting) one.reject(error);
      }
    }
    writing = false;
  };

  const enqueue = (events: readonly NewEvent[], inboxIds: readonly string[]): Promise<StoredEvent[]> =>
    new Promise((resolve, reject) => {
      queue.push({ events, inboxIds, resolve, reject });
      if (!writing) void write();
    });

  return {
    append: (...events) => (events.length === 0 ? Promise.resolve([]) : enqueue(events, [])),
    async takeIn(inboxIds, events) {
      await enqueue(events, inboxIds);
    },
    live: (frame) => parts.live(frame),
    state: () => state,
    events: (filter = {}) => parts.read({ afterSeq: filter.afterSeq ?? 0, types: filter.types ?? null }),
  };
}
