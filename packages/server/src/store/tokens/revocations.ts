import { sql } from 'kysely';
import type { Database } from '../database.ts';

/** Where every replica hears at once which token or session is over. */
export const revocationChannel = 'berth_revoked';

/** Puts ids of tokens or sessions on the list of what is over, and tells all who listen. */
export async function insertRevocations(db: Database, ids: readonly string[], forgetAt: Date): Promise<void> {
  if (ids.length === 0) return;
  await db.sql
    .deleteFrom('revocations')
    .where('forget_at', '<', sql<Date>`clock_timestamp()`)
    .execute();
  await db.sql
    .insertInto('revocations')
    .values(ids.map((id) => ({ id, forget_at: forgetAt })))
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
  await sql`select pg_notify(${revocationChannel}, id) from unnest(${[...ids]}::text[]) as id`.execute(
    db.sql,
  );
}

/** Those of the given token and session ids that are over: revoked, or tokens past their time. */
export async function findOver(db: Database, ids: readonly string[]): Promise<readonly string[]> {
  if (ids.length === 0) return [];
  const asked = sql<string>`any(${[...ids]})`;
  const rows = await db.sql
    .selectFrom('revocations')
    .select('id')
    .where('id', '=', asked)
    .union(
      db.sql
        .selectFrom('api_tokens')
        .select('id')
        .where('id', '=', asked)
        .where((either) =>
          either.or([
            either('revoked_at', 'is not', null),
            either('expires_at', '<=', sql<Date>`clock_timestamp()`),
          ]),
        ),
    )
    .execute();
  return rows.map((row) => row.id);
}
