import { basename } from 'node:path';
import { BerthError } from '../domain/errors/index.ts';
import { isFailure, summaryOf } from '../domain/event-facts.ts';
import type { StoredEvent } from '../domain/events/index.ts';
import type { LiveFrame } from '../domain/live.ts';
import type { LiveReading } from '../domain/ports/live-reading.ts';
import type { EventQuery, RowQuery, RunReading, SearchQuery } from '../domain/ports/run-reading.ts';
import type { CheckpointPlace } from '../domain/run-views.ts';
import { emptyViewState, foldView } from '../domain/view-state.ts';
import { outlineOf, stateView } from '../runs/outline.ts';
import { fakeDiff } from './fake-answers.ts';
import { belongsTo, foldOf, type Held, runRowOf, taskRowOf } from './fake-held-run.ts';
import { eventView } from './fake-run-view.ts';

/** Reading and following, over runs that are held in memory. */
export abstract class FakeReading implements RunReading, LiveReading {
  protected readonly runs = new Map<string, Held>();

  async listTaskRows(query: RowQuery) {
    const { rows, next } = this.#page(query, (run) => run.taskId);
    return { tasks: rows.map(taskRowOf), next };
  }

  async listRunRows(query: RowQuery) {
    const { rows, next } = this.#page(query, (run) => run.runId);
    return { runs: rows.map(runRowOf), next };
  }

  async outline(runId: string) {
    return outlineOf(this.#viewAt(this.find(runId), null));
  }

  async stateAt(runId: string, seq: number | null) {
    const held = this.find(runId);
    return stateView(this.#viewAt(held, seq), held.events.length);
  }

  async eventPage(runId: string, query: EventQuery) {
    return pageOf(this.find(runId).events, query).map(eventView);
  }

  async summaryPage(runId: string, query: EventQuery) {
    return pageOf(this.find(runId).events, query).map(summaryOf);
  }

  async event(runId: string, seq: number) {
    const found = this.find(runId).events[seq - 1];
    if (found === undefined) throw new BerthError('NOT_FOUND', `There is no entry ${seq}.`);
    return eventView(found);
  }

  async search(runId: string, { text, failuresOnly, afterSeq, limit }: SearchQuery) {
    const held = this.find(runId);
    const matches = held.events
      .filter((event) => event.seq > afterSeq && (!failuresOnly || isFailure(event)))
      .filter((event) => JSON.stringify(event.data).toLowerCase().includes(text.toLowerCase()))
      .slice(0, limit)
      .map(summaryOf);
    return { run: held.runId, matches, next: matches.length === limit ? matches.at(-1)!.seq : null };
  }

  async diffAt(runId: string, { seq, from }: { seq: number | null; from: number | 'base' }) {
    const held = this.find(runId);
    return {
      place: placeIn(held, seq),
      from: from === 'base' ? null : placeIn(held, from),
      text: fakeDiff,
      truncated: false,
    };
  }

  async filesAt(runId: string, { seq, path }: { seq: number | null; path: string }) {
    const held = this.find(runId);
    return {
      schema: 'berth.files/v1' as const,
      run: held.runId,
      ...placeIn(held, seq),
      tree: 'f'.repeat(40),
      path,
      entries: [{ name: 'README.md', kind: 'file' as const, bytes: 7 }],
      truncated: false,
    };
  }

  async fileAt(runId: string, { seq }: { seq: number | null; path: string }) {
    return { place: placeIn(this.find(runId), seq), bytes: Buffer.from('# Lib\n') };
  }

  watch(of: { readonly runs: readonly string[] }, wake: () => void): () => void {
    const watched = of.runs.map((id) => this.find(id));
    for (const held of watched) held.listeners.add(wake);
    return () => {
      for (const held of watched) held.listeners.delete(wake);
    };
  }

  watchFrames(runId: string, onFrame: (frame: LiveFrame) => void): () => void {
    const { listeners } = this.find(runId);
    const listener = (frame: LiveFrame | null): void => {
      if (frame !== null) onFrame(frame);
    };
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  async eventsAfter(runId: string, afterSeq: number) {
    return this.find(runId)
      .events.slice(afterSeq, afterSeq + 100)
      .map((event) => ({ full: eventView(event), summary: summaryOf(event) }));
  }

  async rowsAfter(position: string | null) {
    return { rows: [], position: position ?? '1.~' };
  }

  protected find(id: string): Held {
    if (id === 'latest') {
      const last = [...this.runs.values()].at(-1);
      if (last === undefined) throw new BerthError('NOT_FOUND', 'There is no run yet.');
      return last;
    }
    const found = [...this.runs.values()].filter((run) => run.runId.startsWith(id));
    const first = found[0];
    if (first === undefined) throw new BerthError('NOT_FOUND', `There is no run ${id}.`);
    if (found.length > 1) throw new BerthError('NOT_FOUND', `${found.length} runs begin with ${id}.`);
    return first;
  }

  #viewAt(held: Held, seq: number | null) {
    return foldView(emptyViewState(held.runId), held.events.slice(0, seq ?? held.events.length));
  }

  #page({ filter, cursor, limit }: RowQuery, idOf: (run: Held) => string) {
    const { states, codes, projects, words } = filter;
    const all = [...this.runs.values()].toReversed().filter((run) => {
      const { status, title } = runRowOf(run);
      return (
        (states.length === 0 || states.includes(status.state)) &&
        (codes.length === 0 || codes.includes(status.code ?? '')) &&
        (projects.length === 0 || projects.some((project) => belongsTo(run, project))) &&
        words.every((word) => title.toLowerCase().includes(word.toLowerCase()))
      );
    });
    const start = cursor === undefined ? 0 : all.findIndex((run) => idOf(run) === cursor) + 1;
    const rows = all.slice(start, start + limit);
    const last = rows.at(-1);
    return { rows, next: start + limit < all.length && last !== undefined ? idOf(last) : null };
  }
}

function pageOf(events: readonly StoredEvent[], query: EventQuery): StoredEvent[] {
  const { afterSeq, beforeSeq = Infinity, limit, types, step } = query;
  const fitting = events.filter(
    (event) =>
      event.seq > (afterSeq ?? 0) &&
      event.seq < beforeSeq &&
      (types === undefined || types.includes(event.type)) &&
      (step === undefined || summaryOf(event).step === step),
  );
  return afterSeq === undefined ? fitting.slice(-limit) : fitting.slice(0, limit);
}

function placeIn(held: Held, seq: number | null): CheckpointPlace {
  const wanted = Math.min(seq ?? held.events.length, held.events.length);
  const saved = held.events.findLast((event) => event.seq <= wanted && event.type === 'checkpoint.saved');
  if (saved === undefined) {
    throw new BerthError('CHECKPOINT_NONE', `${basename(foldOf(held).runId)} has no checkpoint so early.`);
  }
  return { seq: wanted, checkpointSeq: saved.seq, at: saved.at, between: wanted - saved.seq };
}
