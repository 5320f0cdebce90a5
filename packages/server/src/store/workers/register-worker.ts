import { sql } from 'kysely';
import type { Database } from '../database.ts';

/** Registers a worker under a new id; its lease ends `ttlMs` from now, by the database's clock. */
export async function registerWorker(
  db: Database,
  worker: { readonly id: string; readonly address: string | null; readonly ttlMs: number },
): Promise<void> {
  await sql`insert into workers (id, address, lease_expires_at)
    values (${worker.id}, ${worker.address}, clock_timestamp() + ${worker.ttlMs} * interval '1 ms')`.execute(
    db.sql,
  );
}
