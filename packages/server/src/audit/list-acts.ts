import { type RawBuilder, sql } from 'kysely';
import { BerthError } from '../domain/errors/index.ts';
import type { AuditAct, AuditFilter, AuditRow } from '../domain/ports/audit.ts';
import type { Database } from '../store/database.ts';
import type { EntryRow } from './entry.ts';

/** An act that began longer ago and has no end will hardly get one: its process is gone. */
const openMs = 60_000;

interface Joined extends EntryRow {
  readonly end_at: string | null;
  readonly end_result: AuditAct['result'] | null;
  readonly end_code: string | null;
  readonly end_details: AuditAct['details'] | null;
  readonly end_kind: string | null;
  readonly end_object: string | null;
  readonly end_project: string | null;
}

/**
 * Acts, newest first, beginning and end joined.
 * @throws BerthError `USAGE` for a cursor that is none, `DATABASE_UNAVAILABLE`
 */
export async function listActs(
  db: Database,
  filter: AuditFilter & { readonly cursor?: string; readonly limit: number },
): Promise<{ readonly acts: readonly AuditRow[]; readonly next: string | null }> {
  const { cursor, limit } = filter;
  if (cursor !== undefined && !/^\d{1,15}$/.test(cursor)) throw new BerthError('USAGE', 'cursor: not one.');
  const nowMs = db.clock.nowMs();
  const conditions = [sql`e.phase <> 'end'`, ...conditionsOf(filter, nowMs)];
  if (cursor !== undefined) conditions.push(sql`e.position < ${Number(cursor)}`);
  const { rows } = await sql<Joined>`
    select e.position, e.act, e.phase, e.by_id, e.by_kind, e.token_id, e.via, e.action, e.object_kind, e.object_id,
      e.project_id, e.result, e.code, e.address, e.agent, e.request_id, e.details, ${isoOf('e')} as at,
      ${isoOf('o')} as end_at, o.result as end_result, o.code as end_code, o.details as end_details,
      o.object_kind as end_kind, o.object_id as end_object, o.project_id as end_project
    ${joined} where ${sql.join(conditions, sql` and `)}
    order by e.position desc limit ${limit + 1}`.execute(db.sql);
  const acts = rows.slice(0, limit).map((row) => actOf(row, nowMs));
  return { acts, next: rows.length > limit ? String(acts.at(-1)!.position) : null };
}

const joined = sql`from audit_entries e left join audit_entries o on o.act = e.act and o.phase = 'end' and e.phase = 'begin'`;

function isoOf(table: string): RawBuilder<string> {
  return sql`to_char(${sql.ref(`${table}.at`)} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

/** The filter as conditions on `e` (the act or its beginning) and `o` (its end). */
function conditionsOf(filter: AuditFilter, nowMs: number): RawBuilder<unknown>[] {
  const conditions: RawBuilder<unknown>[] = [];
  if (filter.by !== undefined) conditions.push(sql`e.by_id = ${filter.by}`);
  if (filter.action !== undefined) {
    conditions.push(
      filter.action.includes('.')
        ? sql`e.action = ${filter.action}`
        : sql`starts_with(e.action, ${`${filter.action}.`})`,
    );
  }
  if (filter.object !== undefined) {
    conditions.push(sql`(e.object_id = ${filter.object} or o.object_id = ${filter.object})`);
  }
  if (filter.project !== undefined) {
    conditions.push(sql`(e.project_id = ${filter.project} or o.project_id = ${filter.project})`);
  }
  if (filter.since !== undefined) conditions.push(sql`e.at >= ${filter.since}::timestamptz`);
  if (filter.until !== undefined) conditions.push(sql`e.at < ${filter.until}::timestamptz`);
  const openSince = new Date(nowMs - openMs).toISOString();
  switch (filter.result) {
    case undefined:
      break;
    case 'open':
      conditions.push(sql`coalesce(e.result, o.result) is null and e.at >= ${openSince}::timestamptz`);
      break;
    case 'unknown':
      conditions.push(sql`coalesce(e.result, o.result) is null and e.at < ${openSince}::timestamptz`);
      break;
    case 'allowed':
    case 'denied':
    case 'failed':
      conditions.push(sql`coalesce(e.result, o.result) = ${filter.result}`);
      break;
  }
  return conditions;
}

/**
 * Ids of the acts that a filter takes, oldest first, in pages: for the export, which shows their rows as they are.
 */
export async function actsAfter(
  db: Database,
  filter: AuditFilter,
  range: { readonly from: number; readonly to: number },
): Promise<readonly string[]> {
  const conditions = [
    sql`e.phase <> 'end'`,
    ...conditionsOf(filter, db.clock.nowMs()),
    sql`(e.position between ${range.from} and ${range.to} or o.position between ${range.from} and ${range.to})`,
  ];
  const { rows } = await sql<{ act: string }>`
    select e.act ${joined} where ${sql.join(conditions, sql` and `)}`.execute(db.sql);
  return rows.map((row) => row.act);
}

function actOf(row: Joined, nowMs: number): AuditRow {
  const hasEnd = row.end_result !== null;
  return {
    position: Number(row.position),
    id: row.act,
    at: row.at,
    by: row.by_id,
    byKind: row.by_kind,
    tokenId: row.token_id,
    via: row.via,
    action: row.action,
    object: hasEnd
      ? { kind: row.end_kind ?? '', id: row.end_object ?? '', projectId: row.end_project }
      : { kind: row.object_kind, id: row.object_id, projectId: row.project_id },
    result: row.end_result ?? resultOf(row, nowMs),
    code: row.end_code ?? row.code,
    from: { address: row.address, agent: row.agent },
    requestId: row.request_id,
    details: { ...row.details, ...row.end_details },
    endedAt: row.end_at,
  };
}

function resultOf({ result, at }: Joined, nowMs: number): AuditRow['result'] {
  if (result === 'allowed' || result === 'denied' || result === 'failed') return result;
  return nowMs - Date.parse(at) < openMs ? 'open' : 'unknown';
}
