import { sql } from 'kysely';
import type { Database } from '../database.ts';

/** Which request: keys of one principal and route are apart from all others. */
export interface RequestKey {
  readonly principal: string;
  readonly route: string;
  readonly key: string;
}

/** An answer as it is sent again. */
export interface KeptAnswer {
  readonly status: number;
  readonly contentType: string;
  /** Null: it was not kept. */
  readonly body: string | null;
}

export type Begun =
  /** Nobody else carries it out. */
  | { readonly kind: 'first' }
  | { readonly kind: 'other-body' }
  | { readonly kind: 'under-way' }
  | { readonly kind: 'answered'; readonly answer: KeptAnswer };

/** How long an answer is kept. */
export const keptMs = 86_400_000;
/** A request that has not settled after so long died with its server; the next one carries it out. */
const abandonedMs = 120_000;

/** Takes the key, or says how far its first request is. Answers older than a day count for nothing. */
export async function beginRequest(db: Database, at: RequestKey, bodyHash: string): Promise<Begun> {
  const ago = (ms: number) => sql<boolean>`started_at < clock_timestamp() - ${ms} * interval '1 millisecond'`;
  const taken = await db.sql
    .insertInto('idempotent_requests')
    .values({ ...at, body_hash: bodyHash })
    .onConflict((conflict) =>
      conflict
        .columns(['principal', 'route', 'key'])
        .doUpdateSet({
          body_hash: bodyHash,
          started_at: sql<Date>`clock_timestamp()`,
          settled_at: null,
          status: null,
          content_type: null,
          body: null,
        })
        .where(
          sql<boolean>`idempotent_requests.started_at < clock_timestamp() - ${keptMs} * interval '1 millisecond'
            or (idempotent_requests.settled_at is null and idempotent_requests.body_hash = ${bodyHash}
              and idempotent_requests.started_at < clock_timestamp() - ${abandonedMs} * interval '1 millisecond')`,
        ),
    )
    .returning('key')
    .executeTakeFirst();
  if (taken !== undefined) {
    await forgetOld(db, ago(keptMs));
    return { kind: 'first' };
  }
  const row = await db.sql
    .selectFrom('idempotent_requests')
    .select(['body_hash', 'status', 'content_type', 'body', 'settled_at'])
    .where('principal', '=', at.principal)
    .where('route', '=', at.route)
    .where('key', '=', at.key)
    .executeTakeFirst();
  // Released in between: whoever asks again takes it.
  if (row === undefined) return { kind: 'under-way' };
  if (row.body_hash !== bodyHash) return { kind: 'other-body' };
  if (row.settled_at === null || row.status === null) return { kind: 'under-way' };
  return {
    kind: 'answered',
    answer: { status: row.status, contentType: row.content_type ?? 'application/json', body: row.body },
  };
}

/** Keeps the answer for whoever sends the request again. */
export async function settleRequest(db: Database, at: RequestKey, answer: KeptAnswer): Promise<void> {
  await db.sql
    .updateTable('idempotent_requests')
    .set({
      settled_at: sql<Date>`clock_timestamp()`,
      status: answer.status,
      content_type: answer.contentType,
      body: answer.body,
    })
    .where('principal', '=', at.principal)
    .where('route', '=', at.route)
    .where('key', '=', at.key)
    .where('settled_at', 'is', null)
    .execute();
}

/** Gives the key back: what was answered is not final. */
export async function releaseRequest(db: Database, at: RequestKey): Promise<void> {
  await db.sql
    .deleteFrom('idempotent_requests')
    .where('principal', '=', at.principal)
    .where('route', '=', at.route)
    .where('key', '=', at.key)
    .where('settled_at', 'is', null)
    .execute();
}

/** A few at a time, with each new key: the table never holds much more than a day. */
async function forgetOld(db: Database, isOld: ReturnType<typeof sql<boolean>>): Promise<void> {
  await db.sql
    .deleteFrom('idempotent_requests')
    .where(
      sql<string>`ctid`,
      'in',
      db.sql
        .selectFrom('idempotent_requests')
        .select(sql<string>`ctid`.as('place'))
        .where(isOld)
        .limit(20),
    )
    .execute();
}
