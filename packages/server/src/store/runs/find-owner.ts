import { sql } from 'kysely';
import type { Database } from '../database.ts';

/** Who owns a run now and where streams of it are reached. */
export interface RunOwner {
  readonly worker: string;
  readonly epoch: number;
  /** Null: only in the owner's own process. */
  readonly address: string | null;
}

/**
 * The owner of a run whose lease holds, by the database's clock; null when it has none now.
 * @throws BerthError `DATABASE_UNAVAILABLE`
 */
export async function findOwner(db: Database, runId: string): Promise<RunOwner | null> {
  const { rows } = await sql<RunOwner>`
    select w.id as worker, r.owner_epoch as epoch, w.address
    from runs r join workers w on w.id = r.owner_worker and w.lease_expires_at > clock_timestamp()
    where r.id = ${runId}`.execute(db.sql);
  return rows[0] ?? null;
}
