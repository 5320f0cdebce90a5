import { sql } from 'kysely';
import type { VisibleProjects } from '../../domain/access.ts';
import type { DeliveryEntrance, DeliveryState, DeliveryView } from '../../domain/deliveries.ts';
import { newId } from '../../domain/ids.ts';
import type { Database } from '../database.ts';

export interface NewDelivery {
  readonly entrance: DeliveryEntrance;
  readonly name: string;
  readonly externalId: string;
  readonly fingerprint: string | null;
  readonly event: string;
  readonly subject: string | null;
  readonly projectId: string | null;
  /** JSON that PostgreSQL can hold. */
  readonly body: string;
}

/** Waiting deliveries of one name; more are not taken. */
export const mostWaiting = 10_000;
/** What the bell rings for when one has come. */
export const deliveriesBell = 'deliveries';

/**
 * Keeps a delivery, once for each id and signature. One statement.
 * @returns its id; `full`: too many of its name wait
 * @throws BerthError `DATABASE_UNAVAILABLE`
 */
export async function keepDelivery(
  db: Database,
  delivery: NewDelivery,
): Promise<{ readonly id: string; readonly isNew: boolean } | 'full'> {
  const { entrance, name, externalId, fingerprint, event, subject, projectId, body } = delivery;
  const nowMs = db.clock.nowMs();
  const id = newId('d', nowMs);
  const { rows } = await sql<{ id: string }>`
    insert into deliveries (id, entrance, name, external_id, fingerprint, event, subject, project_id, body, bytes,
      received_at, state)
    select ${id}, ${entrance}, ${name}, ${externalId}, ${fingerprint}, ${event}, ${subject}, ${projectId}, ${body},
      ${Buffer.byteLength(body)}, ${new Date(nowMs)}, 'waiting'
    where (select count(*) from (select 1 from deliveries where entrance = ${entrance} and name = ${name}
      and state in ('waiting', 'queued') limit ${mostWaiting}) as open) < ${mostWaiting}
    on conflict do nothing returning id`.execute(db.sql);
  if (rows[0] !== undefined) {
    db.bell.ring(deliveriesBell);
    return { id, isNew: true };
  }
  const before = await db.sql
    .selectFrom('deliveries')
    .select('id')
    .where('entrance', '=', entrance)
    .where('name', '=', name)
    .where((either) =>
      either.or([
        either('external_id', '=', externalId),
        ...(fingerprint === null ? [] : [either('fingerprint', '=', fingerprint)]),
      ]),
    )
    .executeTakeFirst();
  return before === undefined ? 'full' : { id: before.id, isNew: false };
}

/** A delivery as it is worked off. */
export interface KeptDelivery {
  readonly id: string;
  readonly entrance: DeliveryEntrance;
  readonly name: string;
  readonly externalId: string;
  readonly event: string;
  readonly body: string;
  readonly state: DeliveryState;
  readonly round: number;
}

export async function readDelivery(db: Database, id: string): Promise<KeptDelivery | null> {
  const row = await db.sql
    .selectFrom('deliveries')
    .select(['id', 'entrance', 'name', 'external_id as externalId', 'event', 'body', 'state', 'round'])
    .where('id', '=', id)
    .executeTakeFirst();
  return row ?? null;
}

/** Those that no job was made for yet, oldest first. */
export async function waitingDeliveries(
  db: Database,
  limit: number,
): Promise<readonly { readonly id: string; readonly round: number }[]> {
  return db.sql
    .selectFrom('deliveries')
    .select(['id', 'round'])
    .where('state', '=', 'waiting')
    .orderBy('received_at')
    .limit(limit)
    .execute();
}

/** Says that jobs were made; those run again meanwhile keep waiting. */
export async function markQueued(
  db: Database,
  jobs: readonly { readonly id: string; readonly round: number }[],
): Promise<void> {
  const ids = jobs.map(({ id }) => id);
  const rounds = jobs.map(({ round }) => round);
  await sql`update deliveries d set state = 'queued'
    from unnest(${ids}::text[], ${rounds}::int[]) as j (id, round)
    where d.id = j.id and d.round = j.round and d.state = 'waiting'`.execute(db.sql);
}

export interface DeliveryOutcome {
  readonly state: 'done' | 'ignored' | 'dead';
  readonly code: string | null;
  readonly reason: string | null;
  readonly notes: readonly string[];
  readonly trigger: string | null;
  readonly taskId: string | null;
}

/** Settles a round of a delivery; one that is settled, or was asked for anew, stays as it is. */
export async function settleDelivery(
  db: Database,
  { id, round }: { readonly id: string; readonly round: number },
  outcome: DeliveryOutcome,
): Promise<void> {
  const { notes, taskId, ...rest } = outcome;
  await db.sql
    .updateTable('deliveries')
    .set((set) => ({
      ...rest,
      notes: JSON.stringify(notes),
      task_id: taskId,
      settled_at: new Date(db.clock.nowMs()),
      attempts: set('attempts', '+', 1),
    }))
    .where('id', '=', id)
    .where('round', '=', round)
    .where('state', 'in', ['waiting', 'queued'])
    .execute();
}

/** Notes a try that failed and is repeated. */
export async function noteFailedTry(
  db: Database,
  { id, round }: { readonly id: string; readonly round: number },
  why: { readonly code: string; readonly reason: string },
): Promise<void> {
  await db.sql
    .updateTable('deliveries')
    .set((set) => ({ ...why, attempts: set('attempts', '+', 1) }))
    .where('id', '=', id)
    .where('round', '=', round)
    .where('state', 'in', ['waiting', 'queued'])
    .execute();
}

/** Has a settled delivery worked off again. @returns whether it was settled */
export async function runDeliveryAgain(db: Database, id: string): Promise<boolean> {
  const row = await db.sql
    .updateTable('deliveries')
    .set((set) => ({
      state: 'waiting' as const,
      round: set('round', '+', 1),
      attempts: 0,
      code: null,
      reason: null,
      notes: '[]',
      settled_at: null,
    }))
    .where('id', '=', id)
    .where('state', 'in', ['done', 'ignored', 'dead'])
    .returning('id')
    .executeTakeFirst();
  if (row !== undefined) db.bell.ring(deliveriesBell);
  return row !== undefined;
}

export interface DeliveryFilter {
  readonly visible: VisibleProjects;
  readonly state?: DeliveryState;
  readonly name?: string;
  /** Id of the last of the page before. */
  readonly cursor?: string;
  readonly limit: number;
}

const viewColumns = [
  'deliveries.id',
  'deliveries.entrance',
  'deliveries.name',
  'deliveries.external_id',
  'deliveries.event',
  'deliveries.subject',
  'projects.name as project',
  'deliveries.bytes',
  'deliveries.received_at',
  'deliveries.state',
  'deliveries.attempts',
  'deliveries.round',
  'deliveries.code',
  'deliveries.reason',
  'deliveries.notes',
  'deliveries.trigger',
  'deliveries.task_id',
  'deliveries.settled_at',
] as const;

/** Newest first. What belongs to no project is only seen by those who see all. */
export async function listDeliveries(db: Database, filter: DeliveryFilter): Promise<readonly DeliveryView[]> {
  const { visible, state, name, cursor, limit } = filter;
  let query = db.sql
    .selectFrom('deliveries')
    .leftJoin('projects', 'projects.id', 'deliveries.project_id')
    .select(viewColumns)
    .orderBy('deliveries.id', 'desc')
    .limit(limit);
  if (visible !== 'all') query = query.where('deliveries.project_id', '=', sql<string>`any(${[...visible]})`);
  if (state !== undefined) query = query.where('deliveries.state', '=', state);
  if (name !== undefined) query = query.where('deliveries.name', '=', name);
  if (cursor !== undefined) query = query.where('deliveries.id', '<', cursor);
  return (await query.execute()).map((row) => toView(row));
}

/** One with its body. */
export async function readDeliveryView(
  db: Database,
  id: string,
): Promise<(DeliveryView & { readonly body: string }) | null> {
  const row = await db.sql
    .selectFrom('deliveries')
    .leftJoin('projects', 'projects.id', 'deliveries.project_id')
    .select([...viewColumns, 'deliveries.body'])
    .where('deliveries.id', '=', id)
    .executeTakeFirst();
  return row === undefined ? null : { ...toView(row), body: row.body };
}

/** Where a delivery belongs; null: there is none of this id. */
export async function projectOfDelivery(
  db: Database,
  id: string,
): Promise<{ readonly projectId: string | null } | null> {
  const row = await db.sql
    .selectFrom('deliveries')
    .select('project_id as projectId')
    .where('id', '=', id)
    .executeTakeFirst();
  return row ?? null;
}

interface Row extends Omit<
  DeliveryView,
  'schema' | 'externalId' | 'receivedAt' | 'taskId' | 'settledAt' | 'notes'
> {
  readonly external_id: string;
  readonly received_at: Date;
  readonly notes: unknown;
  readonly task_id: string | null;
  readonly settled_at: Date | null;
}

function toView(row: Row): DeliveryView {
  return {
    schema: 'berth.delivery/v1',
    id: row.id,
    entrance: row.entrance,
    name: row.name,
    externalId: row.external_id,
    event: row.event,
    subject: row.subject,
    project: row.project,
    bytes: row.bytes,
    receivedAt: row.received_at.toISOString(),
    state: row.state,
    attempts: row.attempts,
    round: row.round,
    code: row.code,
    reason: row.reason,
    notes: row.notes as string[],
    trigger: row.trigger,
    taskId: row.task_id,
    settledAt: row.settled_at?.toISOString() ?? null,
  };
}

/** How long, and how much of one name, is kept. */
export const deliveryRetention = { days: 30, rows: 10_000, bytes: 256 * 1_048_576 };

/** Forgets settled deliveries that are old, or beyond what is kept of one name; what waits stays. */
export async function forgetDeliveries(db: Database, keep = deliveryRetention): Promise<number> {
  const before = new Date(db.clock.nowMs() - keep.days * 86_400_000);
  const { numAffectedRows } = await sql`
    delete from deliveries d using (
      select id, row_number() over newest as place, sum(bytes) over newest as total from deliveries
      window newest as (partition by entrance, name order by received_at desc, id desc)
    ) as counted
    where d.id = counted.id and d.state in ('done', 'ignored', 'dead')
      and (d.received_at < ${before} or counted.place > ${keep.rows} or counted.total > ${keep.bytes})`.execute(
    db.sql,
  );
  return Number(numAffectedRows ?? 0n);
}
