import { fold, type RunState } from '../domain/run-state.ts';
import type { NewEvent, StoredEvent } from '../domain/events/index.ts';
import type { Database } from '../store/database.ts';
import { appendEvents } from '../store/events/append-events.ts';
import type { LogHead } from '../store/events/chain.ts';
import { prepareAppend, type Redact } from '../store/events/prepare-append.ts';
import { withRetry } from '../store/with-retry.ts';
import type { Ownership } from '../store/runs/claim-run.ts';
import type { Project } from '../store/runs/projection.ts';

export interface RunWriter {
  /** The fold of everything appended so far. */
  readonly state: RunState;
  readonly head: LogHead;
  /**
   * Appends, one call after the other; resolves once durable. While the database is away it waits.
   * @throws BerthError `OWNERSHIP_LOST`, `CONFLICT`, `EVENT_INVALID`; the signal's reason
   */
  append(
    events: readonly NewEvent[],
    options?: { readonly inboxIds?: readonly string[] },
  ): Promise<StoredEvent[]>;
}

/** The pen of a run's owner: keeps head and state, and lets parallel callers append one after the other. */
export function openRunWriter(
  db: Database,
  options: {
    readonly ownership: Ownership;
    readonly head: LogHead;
    readonly state: RunState;
    readonly projection: Project;
    readonly redact: Redact;
    /** Aborts waiting for the database. */
    readonly signal: AbortSignal;
  },
): RunWriter {
  const { ownership, projection, redact, signal } = options;
  let { head, state } = options;
  let last: Promise<unknown> = Promise.resolve();

  async function appendNext(
    events: readonly NewEvent[],
    inboxIds: readonly string[],
  ): Promise<StoredEvent[]> {
    signal.throwIfAborted();
    const prepared = await prepareAppend({
      runId: ownership.runId,
      from: head,
      events,
      atMs: db.clock.nowMs(),
      redact,
      blobs: db.blobs,
    });
    const next = prepared.stored.reduce(fold, state);
    const { worker, epoch } = ownership;
    // The preparation is made once: an append that was stored without our knowing is recognised by its hash.
    await withRetry(db.clock, signal, () =>
      appendEvents(db, { prepared, worker, epoch, projection: projection(next), inboxIds }),
    );
    head = prepared.to;
    state = next;
    return [...prepared.stored];
  }

  return {
    get state() {
      return state;
    },
    get head() {
      return head;
    },
    append(events, { inboxIds = [] } = {}) {
      if (events.length === 0 && inboxIds.length === 0) return Promise.resolve([]);
      const mine = last.then(() => appendNext(events, inboxIds));
      last = mine.catch(() => undefined);
      return mine;
    },
  };
}
