import { BerthError } from '../domain/errors/index.ts';
import { failureTypes, isFailure, summaryOf, typesFrom } from '../domain/event-facts.ts';
import { describe, type EventType, type StoredEvent } from '../domain/events/index.ts';
import type { EventQuery, RunReading, SearchQuery } from '../domain/ports/run-reading.ts';
import type { EventSummary, SearchAnswer } from '../domain/run-views.ts';
import type { Database } from '../store/database.ts';
import { type EventFilter, readEvents } from '../store/events/read-events.ts';
import { listRunRows, listTaskRows } from '../store/runs/list-rows.ts';
import { readRun } from '../store/runs/read-run.ts';
import { findRun, isWholeId } from './find-run.ts';
import { outlineOf, stateView } from './outline.ts';
import { runRow, taskRow } from './rows.ts';
import type { RunViews } from './run-view-cache.ts';
import { eventView } from './views.ts';

/** Entries that one search looks at, at most; the answer says where to go on. */
const maxSearched = 20_000;
const searchPage = 500;

type Reading = Omit<RunReading, 'diffAt' | 'filesAt' | 'fileAt'>;

/** Lists, outlines, states and events, as the port says. */
export function runReading(db: Database, views: RunViews): Reading {
  const page = async (runId: string, query: EventQuery): Promise<StoredEvent[]> => {
    // The API has found it before; where there is no entry, there may be no run.
    const id = isWholeId(runId) ? runId : (await findRun(db, runId)).id;
    const filter = filterOf(query);
    const found = await (query.step === undefined
      ? readEvents(db, id, filter)
      : ofStep(db, id, filter, query.step, query.limit));
    if (found.length === 0) await findRun(db, runId);
    return found;
  };
  return {
    async listTaskRows(query) {
      const { rows, next } = await listTaskRows(db, query);
      return { tasks: rows.map(taskRow), next };
    },
    async listRunRows(query) {
      const { rows, next } = await listRunRows(db, query);
      return { runs: rows.map(runRow), next };
    },
    async outline(runId) {
      const record = await findRun(db, runId);
      return outlineOf(await views.at(record.id, record.head.seq), record.status);
    },
    async stateAt(runId, seq) {
      const record = await findRun(db, runId);
      const head = record.head.seq;
      if (seq === null || seq >= head) return stateView(await views.at(record.id, head), head, record.status);
      return stateView(await views.at(record.id, Math.max(1, seq)), head);
    },
    eventPage: async (runId, query) => (await page(runId, query)).map(eventView),
    summaryPage: async (runId, query) => (await page(runId, query)).map(summaryOf),
    async event(runId, seq) {
      const { id } = await findRun(db, runId);
      const [event] = await readEvents(db, id, { afterSeq: seq - 1, limit: 1 });
      if (event?.seq !== seq) throw new BerthError('NOT_FOUND', `The run ${id} has no entry ${seq}.`);
      return eventView(event);
    },
    search: async (runId, query) => searchEvents(db, (await findRun(db, runId)).id, query),
  };
}

function filterOf({ afterSeq, beforeSeq, limit, types, importance, step }: EventQuery): EventFilter {
  const important = importance === undefined || importance === 'low' ? null : typesFrom(importance);
  const wanted =
    types === undefined ? important : types.filter((type) => important === null || important.includes(type));
  return {
    limit,
    withoutErased: true,
    // Without a beginning it is the newest that are wanted: a page opens at the end of a log.
    last: afterSeq === undefined,
    ...(afterSeq === undefined ? {} : { afterSeq }),
    ...(beforeSeq === undefined ? {} : { beforeSeq }),
    ...(wanted === null ? {} : { types: wanted.length === 0 ? noType : wanted }),
    ...(step === undefined ? {} : { step }),
  };
}

/** Matches no entry: types were asked for that are not as important as was asked for. */
const noType = ['none'] as unknown as readonly EventType[];

/** Entries of a step: pages are read until there are enough, as some payloads only tell their step when read. */
async function ofStep(
  db: Database,
  runId: string,
  filter: EventFilter,
  step: string,
  limit: number,
): Promise<StoredEvent[]> {
  let found: StoredEvent[] = [];
  let window = filter;
  for (let read = 0; read < maxSearched; read += limit) {
    const some = await readEvents(db, runId, window);
    const fitting = some.filter((event) => summaryOf(event).step === step);
    found = window.last === true ? [...fitting, ...found] : [...found, ...fitting];
    if (some.length < limit || found.length >= limit) break;
    window =
      window.last === true
        ? { ...window, beforeSeq: some[0]!.seq }
        : { ...window, afterSeq: some.at(-1)!.seq };
  }
  return window.last === true ? found.slice(-limit) : found.slice(0, limit);
}

async function searchEvents(db: Database, runId: string, query: SearchQuery): Promise<SearchAnswer> {
  const { text, failuresOnly, limit } = query;
  const needle = text.toLowerCase();
  const matches: EventSummary[] = [];
  let afterSeq = query.afterSeq;
  for (let searched = 0; searched < maxSearched; searched += searchPage) {
    const page = await readEvents(db, runId, {
      afterSeq,
      limit: searchPage,
      withoutErased: true,
      ...(failuresOnly ? { types: failureTypes } : {}),
    });
    for (const event of page) {
      afterSeq = event.seq;
      if (failuresOnly && !isFailure(event)) continue;
      if (needle !== '' && !holds(event, needle)) continue;
      matches.push(summaryOf(event));
      if (matches.length === limit) {
        const { head } = await readRun(db, runId);
        return { run: runId, matches, next: afterSeq < head.seq ? afterSeq : null };
      }
    }
    if (page.length < searchPage) return { run: runId, matches, next: null };
  }
  return { run: runId, matches, next: afterSeq };
}

/** Whether a lower-case text is in the title, or in any text of the payload. */
function holds(event: StoredEvent, needle: string): boolean {
  return describe(event).title.toLowerCase().includes(needle) || holdsText(event.data, needle);
}

function holdsText(value: unknown, needle: string): boolean {
  if (typeof value === 'string') return value.toLowerCase().includes(needle);
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some((one) => holdsText(one, needle));
}
