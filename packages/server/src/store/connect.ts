import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import { Pool, type ClientConfig, type PoolClient } from 'pg';
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
  return new Kysely<Tables>({
    dialect: new PostgresDialect({
      pool: guarded(pool, onUnavailable, address.kind === 'socket' || !address.isPooled),
    }),
  });
}

/** Gives errors their codes, and never puts a connection back whose last answer did not arrive. */
function guarded(pool: Pool, onUnavailable: OnUnavailable, canPrepare: boolean): PostgresPool {
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
            const name = canPrepare && values.length > 0 ? nameOf(client, text) : undefined;
            return await client.query({ text, values: [...values], ...(name === undefined ? {} : { name }) });
          } catch (error) {
            const known = told(error);
            if (known instanceof BerthError || isOutdated(error)) isBroken = true;
            throw known;
          }
        },
        release: (discard?: boolean) => client.release(isBroken || discard === true),
      } as unknown as PostgresPoolClient;
    },
    end: () => pool.end(),
  };
}

/** Statements that a connection remembers; ours are some hundred, and lists of other lengths make more of them. */
const mostPrepared = 256;
const prepared = new WeakMap<PoolClient, Map<string, string>>();

/**
 * The name under which a statement is parsed once per connection instead of at every use: for the server the append's
 * parsing was half of its work. Not for those that answer every column: a migration beside us adds some.
 */
function nameOf(client: PoolClient, text: string): string | undefined {
  if (text.includes('*,') || text.includes('select *') || text.includes('returning *')) return undefined;
  const names = prepared.get(client) ?? new Map<string, string>();
  prepared.set(client, names);
  const known = names.get(text);
  if (known !== undefined || names.size >= mostPrepared) return known;
  const name = `berth_${names.size}`;
  names.set(text, name);
  return name;
}

/** What a connection has prepared does not fit the schema any more: the next one prepares anew. */
function isOutdated(error: unknown): boolean {
  return (error as { code?: unknown }).code === '0A000';
}
