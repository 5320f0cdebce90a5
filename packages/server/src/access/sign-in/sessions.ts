import { sql } from 'kysely';
import { durationMs, type SignInConfig } from '../../domain/config/index.ts';
import { newId } from '../../domain/ids.ts';
import type { Database } from '../../store/database.ts';
import { hashSecret, newSecret } from './secret.ts';

/** Whose a session is; roles are not part of it. */
export interface SessionHolder {
  readonly principal: string;
  readonly kind: 'person' | 'local';
  readonly name: string;
  readonly via: 'oidc' | 'link';
  /** Values of the group claim at sign-in. */
  readonly claims: readonly string[];
}

export interface Session extends SessionHolder {
  readonly id: string;
}

export interface ListedSession {
  readonly id: string;
  readonly via: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date;
  readonly address: string | null;
  readonly agent: string | null;
}

/** Address and program of a request. */
export interface Visitor {
  readonly address: string | null;
  readonly agent: string | null;
}

export type SessionTimes = SignInConfig['sessions'];

/** The last use is written at most this often. */
const touchEveryMs = 60_000;
/** A stream that a session opened before it ended has noticed by then. */
const forgetEndedMs = 86_400_000;

/** Begins a session. The secret is for the cookie alone and is nowhere kept. */
export async function beginSession(
  db: Database,
  holder: SessionHolder,
  visitor: Visitor,
): Promise<{ readonly secret: string; readonly session: Session }> {
  const secret = newSecret();
  const id = newId('n', db.clock.nowMs());
  await db.sql
    .insertInto('sessions')
    .values({
      id,
      secret_hash: hashSecret(secret),
      principal: holder.principal,
      kind: holder.kind,
      name: holder.name,
      via: holder.via,
      claims: JSON.stringify(holder.claims),
      address: visitor.address,
      agent: visitor.agent,
    })
    .execute();
  return { secret, session: { id, ...holder } };
}

/**
 * The session a cookie belongs to, by the database's clock neither idle for too long nor too old; null when there is
 * none. Its last use is noted in the same statement.
 */
export async function useSession(
  db: Database,
  secret: string,
  times: SessionTimes,
  visitor: Visitor,
): Promise<Session | null> {
  const idleSeconds = durationMs(times.idle) / 1_000;
  // A short idle time needs the last use more exactly.
  const touchSeconds = Math.min(touchEveryMs / 1_000, idleSeconds / 4);
  const { rows } = await sql<Session>`
    with found as (
      select id, principal, kind, name, via, claims, last_used_at from sessions
      where secret_hash = ${hashSecret(secret)} and ${isAlive(times)}
    ), touched as (
      update sessions set last_used_at = now(), address = ${visitor.address}, agent = ${visitor.agent}
      from found where sessions.id = found.id
        and found.last_used_at < now() - make_interval(secs => ${touchSeconds}::float8)
    )
    select id, principal, kind, name, via, claims from found`.execute(db.sql);
  return rows[0] ?? null;
}

/** The living sessions of a principal, the one used last first. */
export async function listSessions(
  db: Database,
  principal: string,
  times: SessionTimes,
): Promise<ListedSession[]> {
  const { rows } = await sql<ListedSession>`
    select id, via, created_at as "createdAt", last_used_at as "lastUsedAt", address, agent from sessions
    where principal = ${principal} and ${isAlive(times)}
    order by last_used_at desc, id desc limit 200`.execute(db.sql);
  return rows;
}

/** Tells whatever sessions have opened, here and at other replicas, that it is over. */
export type AnnounceEnded = (sessionIds: readonly string[], forgetAt: Date) => Promise<void>;

/**
 * Ends sessions; answers the ids of those that were there. What they opened is told first: if that fails the session
 * is still there to be ended again, and no stream outlives it unseen.
 */
export async function endSessions(
  db: Database,
  announce: AnnounceEnded,
  which: { readonly principal: string; readonly id?: string } | { readonly secret: string },
): Promise<string[]> {
  let query = db.sql.selectFrom('sessions').select('id');
  if ('secret' in which) query = query.where('secret_hash', '=', hashSecret(which.secret));
  else {
    query = query.where('principal', '=', which.principal);
    if (which.id !== undefined) query = query.where('id', '=', which.id);
  }
  return (await remove(db, announce, await query.execute())).map((row) => row.id);
}

export type OverSession = Pick<Session, 'id' | 'principal' | 'kind'>;

/** Sign-ins under way that are kept: whoever begins them from many addresses fills no disk. */
const mostLogins = 20_000;

/** Removes sessions that are over, and what was left of sign-ins; answers the sessions this call removed. */
export async function sweep(
  db: Database,
  announce: AnnounceEnded,
  times: SessionTimes,
): Promise<readonly OverSession[]> {
  const { rows } = await sql<{ id: string }>`
    with logins as (delete from oidc_logins where created_at < now() - interval '1 hour'
        or created_at < (select created_at from oidc_logins order by created_at desc offset ${mostLogins} limit 1)),
      links as (delete from sign_in_links where created_at < now() - interval '1 hour')
    select id from sessions where not ${isAlive(times)} limit 1000`.execute(db.sql);
  return remove(db, announce, rows);
}

async function remove(
  db: Database,
  announce: AnnounceEnded,
  rows: readonly { readonly id: string }[],
): Promise<OverSession[]> {
  const ids = rows.map((row) => row.id);
  if (ids.length === 0) return [];
  await announce(ids, new Date(db.clock.nowMs() + forgetEndedMs));
  return db.sql
    .deleteFrom('sessions')
    .where('id', 'in', ids)
    .returning(['id', 'principal', 'kind'])
    .execute();
}

function isAlive(times: SessionTimes) {
  return sql<boolean>`(
    last_used_at > now() - make_interval(secs => ${durationMs(times.idle) / 1_000}::float8)
    and created_at > now() - make_interval(secs => ${durationMs(times.absolute) / 1_000}::float8)
  )`;
}
