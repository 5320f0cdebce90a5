import { sql } from 'kysely';
import type { Database } from '../../store/database.ts';
import { hashSecret } from './secret.ts';

/** How long a sign-in may take at the provider. */
export const loginLifeMs = 10 * 60_000;

/** A sign-in on its way through the provider. */
export interface OidcLogin {
  readonly issuer: string;
  readonly clientId: string;
  readonly redirectUri: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly returnTo: string;
}

/** Remembers a sign-in under its state, for the browser that holds `browserSecret` alone. */
export async function rememberLogin(
  db: Database,
  state: string,
  browserSecret: string,
  login: OidcLogin,
): Promise<void> {
  await db.sql
    .insertInto('oidc_logins')
    .values({
      state_hash: hashSecret(state),
      browser_hash: hashSecret(browserSecret),
      issuer: login.issuer,
      client_id: login.clientId,
      redirect_uri: login.redirectUri,
      nonce: login.nonce,
      verifier: login.verifier,
      return_to: login.returnTo,
    })
    .execute();
}

/**
 * Takes a sign-in back, once. A wrong browser does not use it up: whoever only saw the state cannot spoil it.
 * @returns null when it is unknown, used, too old, or another browser's
 */
export async function takeLogin(
  db: Database,
  state: string,
  browserSecret: string,
): Promise<OidcLogin | null> {
  const { rows } = await sql<OidcLogin>`
    delete from oidc_logins where state_hash = ${hashSecret(state)} and browser_hash = ${hashSecret(browserSecret)}
      and created_at > now() - make_interval(secs => ${loginLifeMs / 1_000}::float8)
    returning issuer, client_id as "clientId", redirect_uri as "redirectUri", nonce, verifier,
      return_to as "returnTo"`.execute(db.sql);
  return rows[0] ?? null;
}
