import { sql } from 'kysely';
import type { Connection } from './seal-batch.ts';

/** A position, and the transaction number from which on nobody can still put a row at or below it. */
export interface Mark {
  readonly position: number;
  readonly transaction: string;
}

/**
 * Marks what has been drawn by now. A writer gets its transaction number before its position
 * (`audit_next_position`), and this one's number is drawn after the position was read: so whoever holds a position up
 * to the mark's has a lower number.
 */
export async function markNow(db: Connection): Promise<Mark> {
  // Two statements, in this order: within one the order of evaluation is nobody's promise.
  const { rows: drawn } = await sql<{ position: string }>`
    select case when is_called then last_value else 0 end as position from audit_positions`.execute(db);
  const { rows } = await sql<{ number: string }>`select pg_current_xact_id()::text as number`.execute(db);
  return { position: Number(drawn[0]?.position ?? 0), transaction: rows[0]?.number ?? '0' };
}

/** Whether every transaction below the mark's is over: then what is at or below its position stays as it is. */
export async function isSettled(db: Connection, mark: Mark): Promise<boolean> {
  const { rows } = await sql<{ over: boolean }>`
    select pg_snapshot_xmin(pg_current_snapshot()) >= ${mark.transaction}::xid8 as over`.execute(db);
  return rows[0]?.over === true;
}
