import { createHash, randomBytes } from 'node:crypto';
import { chmod, chown, link, lstat, mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BerthError } from '../../domain/errors/index.ts';

/**
 * The uid PostgreSQL runs as when Berth is started by root (PostgreSQL refuses uid 0). No account is made for it:
 * 60578–61183 is what systemd's table of uids calls unused, and Debian's accounts end at 59999.
 */
export const databaseUid = 60_900;

/** Longest path of a unix socket that every platform takes (`sun_path` is 108 on Linux, 104 on macOS), less the end. */
const longestSocketPath = 103;
const socketName = '.s.PGSQL.5432';

/** Where one embedded server lives. */
export interface Place {
  /** Holds everything below; for root a directory of its own outside of the home. */
  readonly root: string;
  readonly data: string;
  readonly sockets: string;
  readonly programs: string;
  readonly log: string;
  /** Users of the server hold this open for writing; the keeper reads it. */
  readonly users: string;
  readonly startLock: string;
  /** The account the server runs as; null: the one Berth runs as. */
  readonly account: { readonly uid: number; readonly gid: number } | null;
}

export interface PlaceOptions {
  readonly home: string;
  /** Parent of the databases of root's homes; `/var/lib/berth`. */
  readonly rootDirectory?: string;
}

/** Decides and makes the directories of the embedded server of `home`. */
export async function preparePlace(options: PlaceOptions): Promise<Place> {
  const isRoot = process.getuid?.() === 0;
  await makeOwn(options.home);
  const home = await realpath(options.home);
  const key = createHash('sha256')
    .update(`${home}\n${await homeId(home)}`)
    .digest('hex')
    .slice(0, 16);
  // The database's account must reach its files, and a home below /root is closed to it.
  const parent = options.rootDirectory ?? '/var/lib/berth';
  const root = isRoot ? join(parent, key) : join(home, 'postgres');
  const account = isRoot ? { uid: databaseUid, gid: databaseUid } : null;
  if (isRoot) {
    await makeOwn(parent);
    await open711(parent);
  }
  await makeOwn(root);
  if (isRoot) {
    await open711(root);
    // For people who look here, and for what tidies up after a home that is gone.
    await writeFile(join(root, 'home'), `${home}\n`, { mode: 0o600 });
  }
  const place: Place = {
    root,
    data: join(root, 'data'),
    sockets: await socketDirectory(root, key),
    programs: isRoot ? join(parent, 'programs') : join(root, 'programs'),
    log: join(root, 'postgres.log'),
    users: join(root, 'users'),
    startLock: join(root, 'start.lock'),
    account,
  };
  await makeSockets(place);
  return place;
}

/**
 * A random name that lies in the home. Root's databases lie elsewhere: without it, a home that was deleted and made
 * again at the same path would meet the old one's database.
 */
async function homeId(home: string): Promise<string> {
  const path = join(home, 'database-id');
  const draft = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;
  const known = await readFile(path, 'utf8').catch(() => '');
  if (known !== '') return known.trim();
  try {
    await writeFile(draft, `${randomBytes(16).toString('hex')}\n`, { mode: 0o600, flush: true });
    // Of several processes that are the first at once, one wins.
    await link(draft, path).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(draft, { force: true });
  }
  return (await readFile(path, 'utf8')).trim();
}

async function socketDirectory(root: string, key: string): Promise<string> {
  const near = join(root, 'socket');
  if (Buffer.byteLength(join(near, socketName)) <= longestSocketPath) return near;
  const runtime = process.env['XDG_RUNTIME_DIR'];
  const short = runtime !== undefined && runtime.startsWith('/') ? runtime : tmpdir();
  const away = join(short, `berth-${key}`);
  return Buffer.byteLength(join(away, socketName)) <= longestSocketPath ? away : join('/tmp', `berth-${key}`);
}

/**
 * The socket directory is the door to the database: it belongs to the server's account, and nobody else enters. One
 * in a directory open to all may have been put there by somebody else.
 */
async function makeSockets(place: Place): Promise<void> {
  await makeOwn(place.sockets);
  const found = await lstat(place.sockets);
  const owners = [process.getuid?.(), place.account?.uid];
  if (!found.isDirectory() || !owners.includes(found.uid)) {
    throw new BerthError('DATABASE_PERMISSION', `The directory ${place.sockets} belongs to somebody else.`, {
      details: { path: place.sockets },
    });
  }
  if (place.account !== null) await chown(place.sockets, place.account.uid, place.account.gid);
  await chmod(place.sockets, 0o700);
}

async function makeOwn(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new BerthError('DATABASE_PERMISSION', `The directory ${path} cannot be used: ${message(error)}`, {
      cause: error,
      details: { path },
    });
  }
}

async function open711(path: string): Promise<void> {
  await chmod(path, 0o711);
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
