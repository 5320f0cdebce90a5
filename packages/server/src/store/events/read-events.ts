import { type Expression, type ExpressionBuilder, sql, type SqlBool } from 'kysely';
import { BerthError } from '../../domain/errors/index.ts';
import { eventTypes, type EventType, type StoredEvent } from '../../domain/events/index.ts';
import type { Database } from '../database.ts';
import type { Tables } from '../tables.ts';

export interface EventFilter {
  readonly afterSeq?: number;
  readonly beforeSeq?: number;
  readonly types?: readonly EventType[];
  /** Of this step alone, by its key. */
  readonly step?: string;
  /** At most so many, the first ones (with `last` the last ones); without it all. */
  readonly limit?: number;
  /** The last `limit` ones instead of the first; in order all the same. */
  readonly last?: boolean;
  /** Entries whose contents were erased are left out instead of being refused. */
  readonly withoutErased?: boolean;
}

/** Payloads read from the blob store at once. */
const readAtOnce = 16;

interface EventRow {
  readonly run_id: string;
  readonly seq: number;
  readonly type: string;
  readonly version: number;
  readonly at: Date;
  readonly data: unknown;
  readonly blob: string | null;
  readonly erased_at: Date | null;
}

/**
 * Entries of a log in order, checked and brought to the present version of their type.
 * @throws BerthError `EVENT_UNREADABLE`, `EVENT_ERASED`, `BLOB_MISSING`, `DATABASE_UNAVAILABLE`
 */
export async function readEvents(
  db: Database,
  runId: string,
  filter: EventFilter = {},
): Promise<StoredEvent[]> {
  const rows =
    filter.limit === undefined
      ? await rowsOf(db, runId, filter)
      : await pageOf(db, runId, filter, filter.limit);
  const events: StoredEvent[] = [];
  for (let at = 0; at < rows.length; at += readAtOnce) {
    events.push(...(await Promise.all(rows.slice(at, at + readAtOnce).map((row) => decode(db, row)))));
  }
  return filter.last === true ? events.toReversed() : events;
}

/**
 * A page is cut before its payloads are looked up, one by one: with a plain join the planner reads the payloads of the
 * run from its beginning for each page (38 ms instead of 2 ms at the 9,000th entry of 10,000).
 */
function pageOf(
  db: Database,
  runId: string,
  filter: EventFilter,
  limit: number,
): Promise<readonly EventRow[]> {
  const { afterSeq, beforeSeq, types, last = false } = filter;
  const order = last ? 'desc' : 'asc';
  let entries = db.sql
    .selectFrom('events')
    .select(['run_id', 'seq', 'type', 'version', 'at'])
    .where('run_id', '=', runId)
    .orderBy('seq', order);
  if (afterSeq !== undefined) entries = entries.where('seq', '>', afterSeq);
  if (beforeSeq !== undefined) entries = entries.where('seq', '<', beforeSeq);
  if (types !== undefined) entries = entries.where('type', 'in', [...types]);
  // What payloads decide is only known after the look; the planner still takes the entries in order, up to the limit.
  entries = isOfPayload(filter) ? entries.offset(0) : entries.limit(limit);
  return db.sql
    .selectFrom(entries.as('entries'))
    .innerJoinLateral(
      (one) =>
        one
          .selectFrom('event_payloads')
          .select(['data', 'blob', 'erased_at'])
          .whereRef('event_payloads.run_id', '=', 'entries.run_id')
          .whereRef('event_payloads.seq', '=', 'entries.seq')
          .where(wantedPayload(filter))
          .limit(1)
          .as('payload'),
      (join) => join.onTrue(),
    )
    .select(['run_id', 'seq', 'type', 'version', 'at', 'data', 'blob', 'erased_at'])
    .orderBy('seq', order)
    .limit(limit)
    .execute();
}

/** All of them, for which one join is quicker. */
function rowsOf(db: Database, runId: string, filter: EventFilter): Promise<readonly EventRow[]> {
  const { afterSeq, beforeSeq, types, last = false } = filter;
  let query = db.sql
    .selectFrom('events')
    .innerJoin('event_payloads', (join) =>
      join
        .onRef('event_payloads.run_id', '=', 'events.run_id')
        .onRef('event_payloads.seq', '=', 'events.seq'),
    )
    .select(['events.run_id', 'events.seq', 'type', 'version', 'at', 'data', 'blob', 'erased_at'])
    .where('events.run_id', '=', runId)
    .where(wantedPayload(filter))
    .orderBy('events.seq', last ? 'desc' : 'asc');
  // Said of both: the planner concludes it for equality alone.
  for (const seq of ['events.seq', 'event_payloads.seq'] as const) {
    if (afterSeq !== undefined) query = query.where(seq, '>', afterSeq);
    if (beforeSeq !== undefined) query = query.where(seq, '<', beforeSeq);
  }
  if (types !== undefined) query = query.where('type', 'in', [...types]);
  return query.execute();
}

function isOfPayload({ step, withoutErased }: EventFilter): boolean {
  return step !== undefined || withoutErased === true;
}

function wantedPayload({ step, withoutErased }: EventFilter) {
  return (one: ExpressionBuilder<Tables, 'event_payloads'>): Expression<SqlBool> =>
    one.and([
      ...(withoutErased === true ? [one('erased_at', 'is', null)] : []),
      // The step of a payload that is in the blob store is only known once it is read.
      ...(step === undefined
        ? []
        : [
            one.or([
              one('blob', 'is not', null),
              one(sql<string>`data ->> 'step'`, '=', step),
              one(sql<string>`data ->> 'key'`, '=', step),
            ]),
          ]),
    ]);
}

async function decode(db: Database, row: EventRow): Promise<StoredEvent> {
  const where = { runId: row.run_id, seq: row.seq, type: row.type, version: row.version };
  if (row.erased_at !== null) throw new BerthError('EVENT_ERASED', undefined, { details: where });
  const raw: unknown =
    row.blob === null ? row.data : JSON.parse(Buffer.from(await db.blobs.get(row.blob)).toString('utf8'));
  if (!isEventType(row.type)) {
    throw new BerthError('EVENT_UNREADABLE', `Event ${row.seq} has the unknown type ${row.type}.`, {
      details: where,
    });
  }
  const definition = eventTypes[row.type];
  const present = row.version === definition.version ? raw : upcast(row, definition, raw);
  const parsed = definition.data.safeParse(present);
  if (!parsed.success) {
    throw new BerthError(
      'EVENT_UNREADABLE',
      `Event ${row.seq} (${row.type}) does not have its type's shape.`,
      {
        cause: parsed.error,
        details: where,
      },
    );
  }
  return {
    type: row.type,
    data: parsed.data,
    runId: row.run_id,
    seq: row.seq,
    at: row.at.toISOString(),
  } as StoredEvent;
}

function upcast(
  row: EventRow,
  definition: { readonly version: number; readonly upcast?: (data: unknown, version: number) => unknown },
  raw: unknown,
): unknown {
  if (row.version < definition.version && definition.upcast !== undefined) {
    return definition.upcast(raw, row.version);
  }
  throw new BerthError(
    'EVENT_UNREADABLE',
    `Event ${row.seq} (${row.type}) has version ${row.version}, this Berth knows ${definition.version}.`,
    { details: { runId: row.run_id, seq: row.seq } },
  );
}

function isEventType(type: string): type is EventType {
  return Object.hasOwn(eventTypes, type);
}
