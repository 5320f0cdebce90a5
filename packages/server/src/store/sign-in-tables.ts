import type { ColumnType, JSONColumnType } from 'kysely';

type GeneratedInstant = ColumnType<Date, Date | string | undefined, Date | string>;

/** Tables of sign-in (`0004_sign_in.sql`). */
export interface SignInTables {
  sessions: {
    id: string;
    secret_hash: string;
    principal: string;
    kind: 'person' | 'local';
    name: string;
    via: 'oidc' | 'link';
    claims: JSONColumnType<string[]>;
    created_at: GeneratedInstant;
    last_used_at: GeneratedInstant;
    address: string | null;
    agent: string | null;
  };
  people_seen: {
    id: string;
    name: string;
    via: string;
    claims: JSONColumnType<string[]>;
    first_seen_at: GeneratedInstant;
    last_seen_at: GeneratedInstant;
  };
  oidc_logins: {
    state_hash: string;
    browser_hash: string;
    issuer: string;
    client_id: string;
    redirect_uri: string;
    nonce: string;
    verifier: string;
    return_to: string;
    created_at: GeneratedInstant;
  };
  sign_in_links: { code_hash: string; account: string; created_at: GeneratedInstant };
  access_keys: { name: string; value: string; created_at: GeneratedInstant };
}
