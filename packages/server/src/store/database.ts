import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { BerthError } from '../domain/errors/index.ts';
import type { Blobs } from '../domain/ports/blobs.ts';
import type { Clock } from '../domain/ports/clock.ts';
import { directoryBlobs } from './blobs/directory-blobs.ts';
import { connectPool, type Address } from './connect.ts';
import { databaseUser } from './embedded/initialise.ts';
import { openEmbedded, type EmbeddedServer } from './embedded/open-embedded.ts';
import { EventBell } from './events/event-bell.ts';
import { migrate } from './migrate.ts';
import type { Tables } from './tables.ts';
import { isUnavailable } from './unavailable.ts';

/** The open database: what every function of the store takes. */
export interface Database {
  readonly kind: 'embedded' | 'external';
  readonly sql: Kysely<Tables>;
  /** The same on connections of the worker's own: see `forWork`. */
  readonly work: Kysely<Tables>;
  readonly address: Address;
  /** For connections of their own (LISTEN, leases): past a transaction pooler. */
  readonly directAddress: Address;
  readonly clock: Clock;
  /** Where payloads too long for a row are. */
  readonly blobs: Blobs;
  /** Tells followers, here and elsewhere, that a log has grown. */
  readonly bell: EventBell;
  close(): Promise<void>;
}

export interface OpenOptions {
  /** `$BERTH_HOME`. */
  readonly home: string;
  readonly databaseUrl?: string | undefined;
  /** Beside a transaction pooler: the same database without it. */
  readonly directUrl?: string | undefined;
  readonly clock: Clock;
  /** Aborts the opening; an open database is closed by `close`. */
  readonly signal: AbortSignal;
  readonly onProgress?: (sentence: string) => void;
  /** Instead of the directory `blobs` of the home. */
  readonly blobs?: Blobs;
  /** Parent of the embedded databases of root's homes; `/var/lib/berth`. */
  readonly rootDirectory?: string;
  /** False switches fsync of the embedded database off: for tests only. */
  readonly durable?: boolean;
}

/** Beside these the database has little to do at once: what a worker's runs append and reserve shares its round trips. */
const workConnections = 6;

/**
 * The database on the worker's own connections: whoever reads through the API does not stand in line with a thousand runs
 * for one, and the runs do not with them.
 */
export function forWork(db: Database): Database {
  return { ...db, sql: db.work };
}

/** How long opening waits for a database that does not answer yet. */
const openTimeoutMs = 20_000;

/**
 * Opens the database of `home`, with its tables at this version: the one of `databaseUrl`, or else the embedded
 * PostgreSQL, which is started or adopted.
 * @throws BerthError of the store's codes
 */
export async function openDatabase(options: OpenOptions): Promise<Database> {
  if (options.databaseUrl !== undefined && options.databaseUrl !== '') {
    const address: Address = {
      kind: 'url',
      url: options.databaseUrl,
      isPooled: options.directUrl !== undefined && options.directUrl !== '',
    };
    const direct: Address = address.isPooled
      ? { kind: 'url', url: options.directUrl ?? '', isPooled: false }
      : address;
    return openAt(address, direct, null, options);
  }
  const server = await openEmbedded(options);
  const address: Address = {
    kind: 'socket',
    directory: server.sockets,
    database: 'postgres',
    user: databaseUser,
  };
  try {
    return await openAt(address, address, server, options);
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** Opens a database that is already running, with migrations. */
export async function openAt(
  address: Address,
  directAddress: Address,
  server: EmbeddedServer | null,
  options: Pick<OpenOptions, 'home' | 'clock' | 'signal' | 'blobs' | 'durable'>,
): Promise<Database> {
  const closing = new AbortController();
  const onUnavailable = (): void => {
    // An embedded server that died is started by whoever notices; failures show at the next use.
    if (server !== null && !closing.signal.aborted) server.revive(closing.signal).catch(() => undefined);
  };
  const sql = connectPool(address, onUnavailable);
  const work = connectPool(address, onUnavailable, workConnections);
  const bell = new EventBell(sql, directAddress, options.clock);
  const close = async (): Promise<void> => {
    if (closing.signal.aborted) return;
    closing.abort(new BerthError('DATABASE_UNAVAILABLE', 'The database was closed.'));
    await bell.close();
    await Promise.all([sql, work].map((pool) => pool.destroy().catch(() => undefined)));
    await server?.close();
  };
  try {
    await migrateWhenThere(sql, options);
  } catch (error) {
    await bell.close();
    await sql.destroy().catch(() => undefined);
    throw error;
  }
  return {
    kind: server === null ? 'external' : 'embedded',
    sql,
    work,
    address,
    directAddress,
    clock: options.clock,
    blobs: options.blobs ?? directoryBlobs(join(options.home, 'blobs'), { durable: options.durable ?? true }),
    bell,
    close,
  };
}

async function migrateWhenThere(sql: Kysely<Tables>, options: Pick<OpenOptions, 'clock' | 'signal'>) {
  const { clock, signal } = options;
  const startedMs = clock.monotonicMs();
  for (;;) {
    signal.throwIfAborted();
    try {
      await migrate(sql);
      return;
    } catch (error) {
      if (!isUnavailable(error) || clock.monotonicMs() - startedMs > openTimeoutMs) throw error;
      await clock.sleep(200, signal);
    }
  }
}
