import { sql } from 'kysely';
import type { Database } from '../database.ts';

/** Erases the contents of entries; the entries themselves stay in the chain. Blobs are left to their own clean-up. */
export async function erasePayloads(db: Database, runId: string, seqs: readonly number[]): Promise<void> {
  await sql`
    update event_payloads set data = null, blob = null, erased_at = clock_timestamp()
    where run_id = ${runId} and seq = any(${[...seqs]}::int[]) and erased_at is null`.execute(db.sql);
}
