import type { StoredEvent } from '../domain/events/index.ts';
import type { LiveFrame } from '../domain/live.ts';
import type { EventView } from '../domain/views.ts';
import type { Database } from '../store/database.ts';
import { followEvents } from '../store/events/follow-events.ts';
import { readRun } from '../store/runs/read-run.ts';
import { findRun } from './find-run.ts';
import { joinLive, type LiveHub } from './live-hub.ts';
import { eventView } from './views.ts';

/** Settled events and live frames of a run, until its end. */
export async function* followRun(
  db: Database,
  hub: LiveHub,
  id: string,
  afterSeq: number,
  signal: AbortSignal,
): AsyncGenerator<{ readonly event: EventView } | { readonly frame: LiveFrame }> {
  const { id: runId } = await findRun(db, id);
  const left = new AbortController();
  const events = untilEnd(db, runId, afterSeq, AbortSignal.any([signal, left.signal]));
  const watch = (onFrame: (frame: LiveFrame) => void): (() => void) => hub.watch(runId, onFrame);
  for await (const item of joinLive(events, watch, () => left.abort())) {
    yield 'event' in item ? { event: eventView(item.event) } : item;
  }
}

/** Ends after the last entry of a run that is over; one that was resumed after an end goes on. */
async function* untilEnd(
  db: Database,
  runId: string,
  afterSeq: number,
  signal: AbortSignal,
): AsyncGenerator<StoredEvent> {
  const done = new AbortController();
  const either = AbortSignal.any([signal, done.signal]);
  const over = async (seq: number): Promise<boolean> => {
    const run = await readRun(db, runId);
    return run.head.seq === seq && run.inboxCount === 0;
  };
  if (await alreadyOver(db, runId, afterSeq)) return;
  let hasEnded = false;
  for await (const event of followEvents(db, runId, afterSeq, either)) {
    yield event;
    // What was on its way (a terminal that closes with the run) may come after the end.
    if (event.type === 'run.ended') hasEnded = true;
    if (event.type === 'run.resumed') hasEnded = false;
    if (hasEnded && (await over(event.seq))) {
      done.abort();
      return;
    }
  }
}

async function alreadyOver(db: Database, runId: string, afterSeq: number): Promise<boolean> {
  const run = await readRun(db, runId);
  const isOver = ['succeeded', 'failed', 'needs_human', 'cancelled'].includes(run.status.state);
  return isOver && run.inboxCount === 0 && afterSeq >= run.head.seq;
}
