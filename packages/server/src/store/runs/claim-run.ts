import { sql } from 'kysely';
import type { Database } from '../database.ts';

export interface Ownership {
  readonly runId: string;
  readonly worker: string;
  readonly epoch: number;
}

/**
 * Takes a run that has no owner, or whose owner's lease ran out; null when another worker has it, or the claiming
 * worker's own lease ran out. Claiming what one owns gives a new epoch: older claims of the same worker end.
 * @throws BerthError `DATABASE_UNAVAILABLE`
 */
export async function claimRun(db: Database, runId: string, worker: string): Promise<Ownership | null> {
  const { rows } = await sql<{ epoch: number }>`
    update runs set owner_worker = ${worker}, owner_epoch = owner_epoch + 1, waiting = false,
      queue_code = null, queue_reason = null, queue_line = null, queue_until = null,
      admitted_at = coalesce(admitted_at, now())
    where id = ${runId}
      and exists (select from workers where id = ${worker} and lease_expires_at > clock_timestamp())
      and (owner_worker is null or owner_worker = ${worker} or not exists (
        select from workers where id = owner_worker and lease_expires_at > clock_timestamp()))
    returning owner_epoch as epoch`.execute(db.sql);
  return rows[0] === undefined ? null : { runId, worker, epoch: rows[0].epoch };
}
