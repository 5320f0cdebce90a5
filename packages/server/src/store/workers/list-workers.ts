import { sql } from 'kysely';
import type { Database } from '../database.ts';

export interface WorkerRecord {
  readonly id: string;
  readonly address: string | null;
  /** By the database's clock. */
  readonly isAlive: boolean;
  readonly runs: number;
}

export async function listWorkers(db: Database): Promise<WorkerRecord[]> {
  const { rows } = await sql<WorkerRecord>`
    select id, address, lease_expires_at > clock_timestamp() as "isAlive",
      (select count(*)::int from runs where owner_worker = workers.id) as runs
    from workers order by registered_at, id`.execute(db.sql);
  return rows;
}
