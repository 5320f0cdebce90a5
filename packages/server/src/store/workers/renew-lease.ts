import { CompiledQuery } from 'kysely';
import type { Database } from '../database.ts';
import { renewLeaseSql } from './renew-lease-sql.ts';

/** One renewal; false when the lease had run out, by the database's clock. Workers use `keepLease`. */
export async function renewLease(db: Database, workerId: string, ttlMs: number): Promise<boolean> {
  const { rows } = await db.sql.executeQuery(CompiledQuery.raw(renewLeaseSql, [workerId, ttlMs]));
  return rows.length === 1;
}
