import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { AuditAct } from '../domain/ports/audit.ts';
import { canonicalJson, toStorable, storableText } from '../store/events/storable.ts';

/** One row of the record, as it is stored and hashed. */
export interface Entry {
  readonly position: number;
  readonly act: string;
  readonly phase: 'whole' | 'begin' | 'end';
  /** RFC 3339 with milliseconds, UTC. */
  readonly at: string;
  readonly by: string;
  readonly byKind: string;
  readonly tokenId: string | null;
  readonly via: string;
  readonly action: string;
  readonly objectKind: string;
  readonly objectId: string;
  readonly projectId: string | null;
  readonly result: string | null;
  readonly code: string | null;
  readonly address: string | null;
  readonly agent: string | null;
  readonly requestId: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

/** An entry before it has a position. */
export type NewEntry = Omit<Entry, 'position'>;

/** Takes secrets out of a value. */
export type Redact = (value: unknown) => unknown;

/** Details are small facts: what is longer as JSON is replaced by its length. */
const longestDetailsBytes = 8 * 1024;
const longestText = 500;

/** SHA-256 over every field of the entry: 32 bytes. */
export function leafOf(entry: Entry): Buffer {
  return createHash('sha256')
    .update(
      JSON.stringify([
        'berth-act-1',
        entry.position,
        entry.act,
        entry.phase,
        entry.at,
        entry.by,
        entry.byKind,
        entry.tokenId,
        entry.via,
        entry.action,
        entry.objectKind,
        entry.objectId,
        entry.projectId,
        entry.result,
        entry.code,
        entry.address,
        entry.agent,
        entry.requestId,
        canonicalJson(entry.details),
      ]),
    )
    .digest();
}

/** The row of an act, or of its beginning or end; redacted, bounded and storable. */
export function entryOf(
  act: Omit<AuditAct, 'result' | 'code'> & Partial<Pick<AuditAct, 'result' | 'code'>>,
  row: Pick<Entry, 'act' | 'phase'> & { readonly atMs: number },
  redact: Redact,
): NewEntry {
  const text = (value: string): string => storableText(String(redact(value)).slice(0, longestText));
  const maybe = (value: string | null): string | null => (value === null ? null : text(value));
  return {
    act: row.act,
    phase: row.phase,
    at: new Date(row.atMs).toISOString(),
    by: text(act.by),
    byKind: act.byKind,
    tokenId: maybe(act.tokenId),
    via: text(act.via),
    action: text(act.action),
    objectKind: text(act.object.kind),
    objectId: text(act.object.id),
    projectId: maybe(act.object.projectId),
    result: row.phase === 'begin' ? null : (act.result ?? null),
    code: row.phase === 'begin' ? null : (act.code ?? null),
    address: maybe(act.from.address),
    agent: maybe(act.from.agent),
    requestId: maybe(act.requestId),
    details: detailsOf(act.details, redact),
  };
}

function detailsOf(details: AuditAct['details'], redact: Redact): Entry['details'] {
  const storable = toStorable(redact(details)) as Entry['details'];
  const bytes = Buffer.byteLength(JSON.stringify(storable));
  return bytes <= longestDetailsBytes ? storable : { leftOut: `${bytes} bytes of details` };
}

/** Columns of `audit_entries`; `at` as text, so that it is read exactly as it is stored. */
export const entryColumns = sql`position, act, phase,
  to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at, by_id, by_kind, token_id, via, action,
  object_kind, object_id, project_id, result, code, address, agent, request_id, details`;

/** A row as those columns answer it. */
export interface EntryRow {
  readonly position: string;
  readonly act: string;
  readonly phase: Entry['phase'];
  readonly at: string;
  readonly by_id: string;
  readonly by_kind: string;
  readonly token_id: string | null;
  readonly via: string;
  readonly action: string;
  readonly object_kind: string;
  readonly object_id: string;
  readonly project_id: string | null;
  readonly result: string | null;
  readonly code: string | null;
  readonly address: string | null;
  readonly agent: string | null;
  readonly request_id: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

export function entryOfRow(row: EntryRow): Entry {
  return {
    position: Number(row.position),
    act: row.act,
    phase: row.phase,
    at: row.at,
    by: row.by_id,
    byKind: row.by_kind,
    tokenId: row.token_id,
    via: row.via,
    action: row.action,
    objectKind: row.object_kind,
    objectId: row.object_id,
    projectId: row.project_id,
    result: row.result,
    code: row.code,
    address: row.address,
    agent: row.agent,
    requestId: row.request_id,
    details: row.details,
  };
}
