import { sql } from 'kysely';
import type { Database } from '../database.ts';

/** How many entries the logs of some runs have, by run id, in one look. @throws BerthError `DATABASE_UNAVAILABLE` */
export async function readHeads(
  db: Database,
  runIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await db.sql
    .selectFrom('runs')
    .select(['id', 'seq'])
    .where('id', '=', sql<string>`any(${[...runIds]}::text[])`)
    .execute();
  return new Map(rows.map((row) => [row.id, row.seq]));
}
