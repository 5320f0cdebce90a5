import { sql } from 'kysely';
import type { Database } from '../database.ts';

/**
 * Open gates whose time is up by the database's clock and that nobody has decided, oldest first.
 * @throws BerthError `DATABASE_UNAVAILABLE`
 */
export async function expiredGates(
  db: Database,
  limit: number,
): Promise<{ readonly runId: string; readonly gateId: string }[]> {
  const { rows } = await sql<{ runId: string; gateId: string }>`
    select r.id as "runId", r.gate->>'id' as "gateId" from runs r
    where r.gate_expires_at <= clock_timestamp()
      and not exists (select from inbox i where i.run_id = r.id and i.kind = 'gate' and i.consumed_seq is null)
    order by r.gate_expires_at limit ${limit}`.execute(db.sql);
  return rows;
}
