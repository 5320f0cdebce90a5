import { sql } from 'kysely';
import type { Database } from '../database.ts';
import type { Ownership } from './claim-run.ts';

/**
 * Takes over up to `limit` runs whose owners' leases ran out, by the database's clock. Several workers may do so at
 * once: each run goes to one.
 * @throws BerthError `DATABASE_UNAVAILABLE`
 */
export async function takeOver(db: Database, worker: string, limit: number): Promise<Ownership[]> {
  const { rows } = await sql<Ownership>`
    update runs set owner_worker = ${worker}, owner_epoch = owner_epoch + 1
    where id in (
        select r.id from runs r
        where r.owner_worker is not null and not exists (
          select from workers w where w.id = r.owner_worker and w.lease_expires_at > clock_timestamp())
        order by r.queued_at, r.id limit ${limit} for update skip locked)
      and exists (select from workers where id = ${worker} and lease_expires_at > clock_timestamp())
    returning id as "runId", owner_worker as worker, owner_epoch as epoch`.execute(db.sql);
  return rows;
}
