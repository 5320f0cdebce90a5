import { sql } from 'kysely';
import type { Database } from '../../store/database.ts';
import type { Identity } from '../roles-of.ts';

const writeEveryMs = 60_000;
const mostRemembered = 10_000;

/** Notes whom Berth saw, at most once a minute for each person; at once when what the group claim says has changed. */
export function seenNotes(db: Database): (identity: Identity, via: string) => Promise<void> {
  const written = new Map<string, { readonly atMs: number; readonly claims: string }>();
  return async (identity, via) => {
    const nowMs = db.clock.monotonicMs();
    const claims = JSON.stringify(identity.claims);
    const last = written.get(identity.id);
    if (last !== undefined && last.claims === claims && nowMs - last.atMs < writeEveryMs) return;
    await db.sql
      .insertInto('people_seen')
      .values({ id: identity.id, name: identity.name, via, claims })
      .onConflict((conflict) =>
        conflict
          .column('id')
          .doUpdateSet({ name: identity.name, via, claims, last_seen_at: sql<Date>`now()` }),
      )
      .execute();
    written.delete(identity.id);
    written.set(identity.id, { atMs: nowMs, claims });
    const oldest = written.keys().next();
    if (written.size > mostRemembered && oldest.done !== true) written.delete(oldest.value);
  };
}

export interface SeenPerson {
  readonly id: string;
  readonly name: string;
  readonly via: string;
  readonly claims: readonly string[];
  readonly lastSeenAt: Date;
}

/** People seen of late, at most 1,000. */
export async function listSeen(db: Database): Promise<SeenPerson[]> {
  const rows = await db.sql
    .selectFrom('people_seen')
    .select(['id', 'name', 'via', 'claims', 'last_seen_at'])
    .orderBy('last_seen_at', 'desc')
    .limit(1_000)
    .execute();
  return rows.map(({ last_seen_at: lastSeenAt, ...row }) => ({ ...row, lastSeenAt }));
}

/** What is known of one person: the group claims are those of the last time. */
export async function readSeen(db: Database, id: string): Promise<SeenPerson | null> {
  const row = await db.sql
    .selectFrom('people_seen')
    .select(['id', 'name', 'via', 'claims', 'last_seen_at'])
    .where('id', '=', id)
    .executeTakeFirst();
  if (row === undefined) return null;
  const { last_seen_at: lastSeenAt, ...rest } = row;
  return { ...rest, lastSeenAt };
}
