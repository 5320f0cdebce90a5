import { sql } from 'kysely';
import type { Database } from '../database.ts';

/** Ends a worker's lease at once: whatever it still owns may be taken over. */
export async function endWorker(db: Database, workerId: string): Promise<void> {
  await sql`update workers set lease_expires_at = least(lease_expires_at, clock_timestamp())
    where id = ${workerId}`.execute(db.sql);
}
