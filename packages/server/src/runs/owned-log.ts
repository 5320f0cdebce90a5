import { BerthError } from '../domain/errors/index.ts';
import type { EventType, NewEvent, StoredEvent } from '../domain/events/index.ts';
import type { LiveFrame } from '../domain/live.ts';
import type { Clock } from '../domain/ports/clock.ts';
import type { EventSink } from '../domain/ports/event-sink.ts';
import type { RunLog } from '../domain/ports/run-context.ts';
import { fold, type RunState } from '../domain/run-state.ts';

export interface OwnedLogParts {
  readonly initial: RunState;
  readonly clock: Clock;
  /** Makes entries durable, in one statement that checks ownership; waits while the database is away. */
  persist(entries: readonly StoredEvent[], after: RunState): Promise<void>;
  read(filter: { afterSeq: number; types: readonly EventType[] | null }): Promise<readonly StoredEvent[]>;
  live(frame: LiveFrame): void;
}

interface Waiting {
  readonly events: readonly NewEvent[];
  readonly resolve: (stored: StoredEvent[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The log of a run this worker owns. Appends are numbered here and written one statement at a time; those that
 * come while one is being written share the next. After the first refusal nothing is written any more.
 */
export function ownedLog(parts: OwnedLogParts): EventSink & RunLog {
  let state = parts.initial;
  let broken: unknown = null;
  let writing = false;
  const queue: Waiting[] = [];

  const write = async (): Promise<void> => {
    writing = true;
    while (queue.length > 0) {
      const batch = queue.splice(0);
      const at = new Date(parts.clock.nowMs()).toISOString();
      let seq = state.seq;
      let after = state;
      const perCaller = batch.map(({ events }) =>
        events.map((event) => {
          seq += 1;
          const stored: StoredEvent = { ...event, runId: state.runId, seq, at };
          after = fold(after, stored);
          return stored;
        }),
      );
      try {
        if (broken !== null) throw broken;
        await parts.persist(perCaller.flat(), after);
        state = after;
        for (const [index, waiting] of batch.entries()) waiting.resolve(perCaller[index] ?? []);
      } catch (error) {
        broken ??= error;
        for (const waiting of batch) waiting.reject(error);
      }
    }
    writing = false;
  };

  return {
    append(...events) {
      if (events.length === 0) return Promise.reject(new BerthError('INTERNAL', 'An append without events.'));
      return new Promise((resolve, reject) => {
        queue.push({ events, resolve, reject });
        if (!writing) void write();
      });
    },
    live: (frame) => parts.live(frame),
    state: () => state,
    events: (filter = {}) => parts.read({ afterSeq: filter.afterSeq ?? 0, types: filter.types ?? null }),
  };
}
