import { sql } from 'kysely';
import { BerthError } from '../../domain/errors/index.ts';
import type { Database } from '../database.ts';
import { projectionColumns, type RunProjection } from '../runs/projection.ts';
import type { PreparedAppend } from './prepare-append.ts';

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
 * updates the projection; all or nothing. Repeating an append whose outcome is unknown is safe.
 * @throws BerthError `OWNERSHIP_LOST`; `CONFLICT` when the log or the inbox is not as expected;
 * `DATABASE_UNAVAILABLE` (outcome unknown), `DATABASE_DISK_FULL`
 */
export async function appendEvents(db: Database, append: Append): Promise<void> {
  const { prepared, worker, epoch, projection } = append;
  const { runId, from, to, rows } = prepared;
  const inboxIds = [...(append.inboxIds ?? [])];
  const columns = projectionColumns(projection);
  const { rows: answer } = await sql<{ n: number }>`
    with owned as (
      update runs set seq = ${to.seq}, head = ${to.hash}, inbox_count = inbox_count - ${inboxIds.length}::int,
        state = ${columns.state}, code = ${columns.code}, reason = ${columns.reason}, next = ${columns.next},
        since = ${columns.since}, last_event_at = ${columns.last_event_at}, step = ${columns.step},
        round_n = ${columns.round_n}, round_of = ${columns.round_of}, cost_usd = ${columns.cost_usd},
        input_tokens = ${columns.input_tokens}, output_tokens = ${columns.output_tokens},
        cached_tokens = ${columns.cached_tokens}, model_calls = ${columns.model_calls},
        active_ms = ${columns.active_ms}, pull_request = ${columns.pull_request}::jsonb,
        changes = ${columns.changes}::jsonb, strip = ${columns.strip}::jsonb,
        gate = ${columns.gate}::jsonb, gate_expires_at = ${columns.gate_expires_at}
      where id = ${runId} and owner_worker = ${worker} and owner_epoch = ${epoch}
        and seq = ${from.seq} and head = ${from.hash}
        and (select count(*) from inbox
             where run_id = ${runId} and id = any(${inboxIds}::text[]) and consumed_seq is null) = ${inboxIds.length}::int
      returning id
    ), taken as (
      update inbox set consumed_seq = ${to.seq}
      where id = any(${inboxIds}::text[]) and run_id in (select id from owned)
    ), entries as (
      insert into events (run_id, seq, type, version, at, payload_hash, prev_hash, hash)
      select owned.id, e.* from owned, unnest(
        ${rows.map((row) => row.seq)}::int[], ${rows.map((row) => row.type)}::text[],
        ${rows.map((row) => row.version)}::int[], ${rows.map((row) => row.at)}::timestamptz[],
        ${rows.map((row) => row.payloadHash)}::text[], ${rows.map((row) => row.prevHash)}::text[],
        ${rows.map((row) => row.hash)}::text[]) as e
    ), payloads as (
      insert into event_payloads (run_id, seq, data, blob)
      select owned.id, p.seq, p.data::jsonb, p.blob from owned, unnest(
        ${rows.map((row) => row.seq)}::int[], ${rows.map((row) => row.data)}::text[],
        ${rows.map((row) => row.blob)}::text[]) as p (seq, data, blob)
    )
    select count(*)::int as n from owned`.execute(db.sql);
  if (answer[0]?.n !== 1) await explainRefusal(db, append);
  db.bell.ring(runId);
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
