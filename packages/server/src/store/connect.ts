import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import { Pool, type ClientConfig } from 'pg';
import { BerthError } from '../domain/errors/index.ts';
import type { Tables } from './tables.ts';
import { databaseError } from './unavailable.ts';

/** Where the database is: a unix socket of the embedded one, or a URL. */
export type Address =
  | { readonly kind: 'socket'; readonly directory: string; readonly database: string; readonly user: string }
  | {
      readonly kind: 'url';
      readonly url: string;
      /** Through a transaction pooler, which refuses settings at the start of a connection. */
      readonly isPooled: boolean;
    };

/** No statement of ours takes longer in health; what hangs longer counts as away. */
export const statementTimeoutMs = 10_000;
export const connectTimeoutMs = 5_000;

export function clientConfig(address: Address): ClientConfig {
  const base: ClientConfig = {
    application_name: 'berth',
    connectionTimeoutMillis: connectTimeoutMs,
    // Longer than the server's, so that a healthy server has the word.
    query_timeout: statementTimeoutMs + 2_000,
    keepAlive: true,
  };
  const timed = { ...base, statement_timeout: statementTimeoutMs };
  return address.kind === 'url'
    ? { ...(address.isPooled ? base : timed), connectionString: address.url }
    : { ...timed, host: address.directory, port: 5432, database: address.database, user: address.user };
}

/** What a failure to reach the database sets off (the embedded server may have to be started again). */
export type OnUnavailable = (error: BerthError) => void;

export function connectPool(address: Address, onUnavailable: OnUnavailable, max = 10): Kysely<Tables> {
  const pool = new Pool({
    ...clientConfig(address),
    max,
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
  });
  // An idle connection that breaks is replaced by the next use; without a listener Node would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: guarded(pool, onUnavailable) }) });
}

/** Gives errors their codes, and never puts a connection back whose last answer did not arrive. */
function guarded(pool: Pool, onUnavailable: OnUnavailable): PostgresPool {
  const told = (error: unknown): unknown => {
    const known = databaseError(error);
    if (known instanceof BerthError && known.code === 'DATABASE_UNAVAILABLE') onUnavailable(known);
    return known;
  };
  return {
    options: pool.options,
    async connect() {
      const client = await pool.connect().catch((error: unknown) => {
        throw told(error);
      });
      let isBroken = false;
      return {
        async query(text: string, values: readonly unknown[]) {
          try {
            return await client.query(text, [...values]);
          } catch (error) {
            const known = told(error);
            if (known instanceof BerthError) isBroken = true;
            throw known;
          }
        },
        release: (discard?: boolean) => client.release(isBroken || discard === true),
      } as unknown as PostgresPoolClient;
    },
    end: () => pool.end(),
  };
}
