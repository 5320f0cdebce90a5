import { sql } from 'kysely';
import type { Database } from '../database.ts';

/** An event that people are to be told of. */
export interface DueNotification {
  readonly runId: string;
  readonly seq: number;
  readonly type: string;
  /** This one included. */
  readonly attempts: number;
}

/** A delivery that nobody reported on within this time is tried again by whoever looks next. */
const holdS = 60;

/**
 * Takes what is due, for this caller alone until `holdS` have passed.
 * @throws BerthError `DATABASE_UNAVAILABLE`
 */
export async function takeDue(db: Database, limit: number): Promise<DueNotification[]> {
  const { rows } = await sql<DueNotification>`
    update notifications n
    set due_at = clock_timestamp() + ${holdS} * interval '1 second', attempts = attempts + 1
    from (select run_id, seq from notifications where due_at <= clock_timestamp()
          order by due_at limit ${limit} for update skip locked) as due
    where n.run_id = due.run_id and n.seq = due.seq
    returning n.run_id as "runId", n.seq, n.type, n.attempts`.execute(db.sql);
  return rows;
}

export async function forgetNotification(db: Database, { runId, seq }: DueNotification): Promise<void> {
  await sql`delete from notifications where run_id = ${runId} and seq = ${seq}`.execute(db.sql);
}

export async function retryNotification(
  db: Database,
  { runId, seq }: DueNotification,
  afterMs: number,
): Promise<void> {
  await sql`update notifications set due_at = clock_timestamp() + ${afterMs} * interval '1 millisecond'
    where run_id = ${runId} and seq = ${seq}`.execute(db.sql);
}
