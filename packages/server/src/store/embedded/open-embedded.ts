import { rm, rmdir } from 'node:fs/promises';
import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import { initialiseData } from './initialise.ts';
import { ensureKeeper, keeperFile } from './keeper.ts';
import { preparePlace, type Place, type PlaceOptions } from './place.ts';
import { findPostmaster } from './postmaster.ts';
import { installPrograms } from './programs.ts';
import { ensureServer, stopServer, type ServerOptions } from './server.ts';
import { withStartLock } from './start-lock.ts';
import { hasNoUsers, joinUsers, makeUsersPipe } from './users.ts';

export interface EmbeddedOptions extends PlaceOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** False switches fsync off: for tests only. */
  readonly durable?: boolean;
  readonly onProgress?: (sentence: string) => void;
}

/** The embedded server of a home, as one of its users sees it. */
export interface EmbeddedServer {
  /** Directory of the unix socket: the `host` of a connection. */
  readonly sockets: string;
  /** `found`: another user, living or dead, had started it. */
  readonly how: 'found' | 'started';
  /** Starts the server again if it died. */
  revive(signal: AbortSignal): Promise<void>;
  /** Stops using it; stops it when nobody else does. */
  close(): Promise<void>;
}

/**
 * The PostgreSQL of a data directory: started, or adopted when it already runs. Many processes may call this at
 * once for one home; all get the same server. It is stopped after its last user, even one that was killed.
 * @throws BerthError `DATABASE_START_FAILED`, `DATABASE_PERMISSION`, `DATABASE_DISK_FULL`, `DATABASE_VERSION`,
 * `DATABASE_PROGRAMS_MISSING`
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const { clock, signal } = options;
  const place = await coded(() => preparePlace(options));
  return coded(() =>
    withStartLock(place.startLock, clock, signal, async () => {
      await makeUsersPipe(place.users);
      const leave = joinUsers(place.users);
      try {
        const programs = await installPrograms(place.programs);
        if ((await findPostmaster(place.data)) === null) options.onProgress?.('Starting the database');
        await initialiseData(place, programs, options.durable ?? true);
        const serverOptions = { place, programs, durable: options.durable ?? true, clock, signal };
        const how = await ensureServer(serverOptions);
        await ensureKeeper(place);
        const sockets = (await findPostmaster(place.data))?.sockets ?? place.sockets;
        return { sockets, how, revive: reviver(serverOptions), close: closer(place, clock, leave) };
      } catch (error) {
        leave();
        throw error;
      }
    }),
  );
}

function reviver(options: ServerOptions): (signal: AbortSignal) => Promise<void> {
  let underWay: Promise<void> | null = null;
  return (signal) => {
    underWay ??= withStartLock(options.place.startLock, options.clock, signal, async () => {
      await ensureServer({ ...options, signal });
      await ensureKeeper(options.place);
    }).finally(() => {
      underWay = null;
    });
    return underWay;
  };
}

function closer(place: Place, clock: Clock, leave: () => void): () => Promise<void> {
  let closing: Promise<void> | null = null;
  return () => {
    closing ??= withStartLock(place.startLock, clock, new AbortController().signal, async () => {
      leave();
      if (!hasNoUsers(place.users)) return;
      await stopServer(place.data, clock);
      await rm(keeperFile(place.root), { force: true });
      // One far from the rest is not left behind; it is made again at the next start.
      if (!place.sockets.startsWith(place.root)) await rmdir(place.sockets).catch(() => undefined);
    });
    return closing;
  };
}

/** File system errors on the way, with codes. */
async function coded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      throw new BerthError('DATABASE_DISK_FULL', undefined, { cause: error });
    }
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
      throw new BerthError('DATABASE_PERMISSION', (error as Error).message, { cause: error });
    }
    throw error;
  }
}
