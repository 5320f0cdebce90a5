import { sql } from 'kysely';
import { BerthError } from '../../domain/errors/index.ts';
import { batchesOf } from '../batches.ts';
import type { Database } from '../database.ts';
import { projectionColumns, type RunProjection } from '../runs/projection.ts';
import type { PreparedAppend, PreparedRow } from './prepare-append.ts';
import { toStorable } from './storable.ts';

export interface Append {
  readonly prepared: PreparedAppend;
  readonly worker: string;
  readonly epoch: number;
  /** Of the state after the new entries. */
  readonly projection: RunProjection;
  /** Inbox entries that these events take in; each is taken in once. */
  readonly inboxIds?: readonly string[];
}

/**
 * Appends in one statement: checks owner, epoch and head, stores entries and payloads, takes inbox entries in, and
 * updates the projection; all or nothing. Appends of several runs at the same time share a statement, in which each is
 * checked for itself. Repeating an append whose outcome is unknown is safe.
 * @throws BerthError `OWNERSHIP_LOST`; `CONFLICT` when the log or the inbox is not as expected;
 * `DATABASE_UNAVAILABLE` (outcome unknown), `DATABASE_DISK_FULL`
 */
export async function appendEvents(db: Database, append: Append): Promise<void> {
  await appendsOf(db).do(append);
  db.bell.ring(append.prepared.runId);
}

const appendsOf = batchesOf<Append, true>((db) => ({
  rests: true,
  together: (some) => appendTogether(db, some),
  async alone(append) {
    const done = await insert(db, [append], 'wait');
    if (done.length === 0) await explainRefusal(db, append);
    return true;
  },
}));

/** What is not appended is refused, or its run's row is held by somebody: each of these goes on alone. */
async function appendTogether(db: Database, some: readonly Append[]): Promise<readonly (true | null)[]> {
  // One of each run: two with the same head cannot both be right.
  const first = new Map(some.toReversed().map((append) => [append.prepared.runId, append]));
  const done = new Set(await insert(db, [...first.values()], 'skip'));
  return some.map((append) => {
    const { runId } = append.prepared;
    return first.get(runId) === append && done.has(runId) ? true : null;
  });
}

/**
 * One transaction for all. `asked` is what is wanted, `free` locks the rows of the runs, in the order of their ids, so
 * that two statements never wait for each other in a circle; all else follows from the rows that `owned` changed.
 * @param held what to do with rows that somebody else holds: wait for them, or leave them out
 * @returns the ids of the runs that were appended to
 */
async function insert(
  db: Database,
  some: readonly Append[],
  held: 'wait' | 'skip',
): Promise<readonly string[]> {
  const runs = `[${some.map(runText).join(',')}]`;
  const entries = `[${some.flatMap(({ prepared }) => prepared.rows.map((row) => entryText(prepared.runId, row))).join(',')}]`;
  const { rows } = await sql<{ id: string }>`
    with asked as materialized (
      select a.* from json_to_recordset(${runs}::json) as a (id text, worker text, epoch int, from_seq int, from_head text,
        to_seq int, to_head text, inbox_ids text[], state text, code text, reason text, next text, since timestamptz,
        last_event_at timestamptz, step text, round_n int, round_of int, cost_usd float8, input_tokens bigint,
        output_tokens bigint, cached_tokens bigint, model_calls int, active_ms bigint, pull_request jsonb, changes jsonb,
        strip jsonb, gate jsonb, gate_expires_at timestamptz)
    ), free as materialized (
      select r.id from runs r where r.id = any(${some.map((one) => one.prepared.runId)}::text[]) order by r.id
      for no key update of r ${sql.raw(held === 'skip' ? 'skip locked' : '')}
    ), owned as (
      update runs r set seq = a.to_seq, head = a.to_head, inbox_count = inbox_count - cardinality(a.inbox_ids),
        state = a.state, code = a.code, reason = a.reason, next = a.next, since = a.since,
        last_event_at = a.last_event_at, step = a.step, round_n = a.round_n, round_of = a.round_of,
        cost_usd = a.cost_usd, input_tokens = a.input_tokens, output_tokens = a.output_tokens,
        cached_tokens = a.cached_tokens, model_calls = a.model_calls, active_ms = a.active_ms,
        pull_request = a.pull_request, changes = a.changes, strip = a.strip, gate = a.gate,
        gate_expires_at = a.gate_expires_at
      from asked a
      where r.id = a.id and r.id = any(array(select id from free)) and r.owner_worker = a.worker and r.owner_epoch = a.epoch
        and r.seq = a.from_seq and r.head = a.from_head
        and (cardinality(a.inbox_ids) = 0 or cardinality(a.inbox_ids) = (select count(*) from inbox i
          where i.run_id = a.id and i.id = any(a.inbox_ids) and i.consumed_seq is null))
      returning r.id, r.seq, a.inbox_ids
    ), taken as (
      update inbox i set consumed_seq = owned.seq from owned
      where cardinality(owned.inbox_ids) > 0 and i.run_id = owned.id and i.id = any(owned.inbox_ids)
    ), written as materialized (
      select e.* from json_to_recordset(${entries}::json) as e (run_id text, seq int, type text, version int,
        at timestamptz, payload_hash text, prev_hash text, hash text, data jsonb, blob text)
      where e.run_id = any(array(select id from owned))
    ), entries as (
      insert into events (run_id, seq, type, version, at, payload_hash, prev_hash, hash)
      select run_id, seq, type, version, at, payload_hash, prev_hash, hash from written
    ), payloads as (
      insert into event_payloads (run_id, seq, data, blob) select run_id, seq, data, blob from written
    )
    select id from owned`.execute(db.sql);
  return rows.map((row) => row.id);
}

function runText({ prepared, worker, epoch, projection, inboxIds = [] }: Append): string {
  const { runId, from, to } = prepared;
  const { pull_request, changes, strip, gate, ...columns } = projectionColumns(projection);
  // Words that were cut may end in half a character, which JSON of the database refuses.
  const row = JSON.stringify({
    ...(toStorable(columns) as typeof columns),
    id: runId,
    worker,
    epoch,
    from_seq: from.seq,
    from_head: from.hash,
    to_seq: to.seq,
    to_head: to.hash,
    inbox_ids: inboxIds,
  });
  return withJson(row, { pull_request, changes, strip, gate });
}

function entryText(runId: string, { data, ...row }: PreparedRow): string {
  const { seq, type, version, at, payloadHash, prevHash, hash, blob } = row;
  const columns = {
    run_id: runId,
    seq,
    type,
    version,
    at,
    payload_hash: payloadHash,
    prev_hash: prevHash,
    hash,
    blob,
  };
  return withJson(JSON.stringify(columns), { data });
}

/** An object's text with more members, whose values are JSON texts already: they are not parsed and written again. */
function withJson(object: string, members: Readonly<Record<string, string | null>>): string {
  const more = Object.entries(members).map(([name, text]) => `,${JSON.stringify(name)}:${text ?? 'null'}`);
  return `${object.slice(0, -1)}${more.join('')}}`;
}

/** Why nothing was appended; returns when this very append was stored before. */
async function explainRefusal(db: Database, append: Append): Promise<void> {
  const { prepared, worker, epoch } = append;
  const run = await db.sql
    .selectFrom('runs')
    .select(['seq', 'head', 'owner_worker', 'owner_epoch'])
    .where('id', '=', prepared.runId)
    .executeTakeFirst();
  if (run === undefined) throw new BerthError('NOT_FOUND', `There is no run ${prepared.runId}.`);
  if (run.owner_worker !== worker || run.owner_epoch !== epoch) {
    throw new BerthError('OWNERSHIP_LOST', undefined, {
      details: { runId: prepared.runId, epoch, owner: run.owner_worker, ownerEpoch: run.owner_epoch },
    });
  }
  if (run.seq === prepared.to.seq && run.head === prepared.to.hash) return;
  const sentence =
    run.seq === prepared.from.seq && run.head === prepared.from.hash
      ? 'An inbox entry was taken in before.'
      : `The log is at entry ${run.seq}, not at ${prepared.from.seq}.`;
  throw new BerthError('CONFLICT', sentence, { details: { runId: prepared.runId, seq: run.seq } });
}
