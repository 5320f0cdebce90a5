import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, chown, lchown, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BerthError } from '../../domain/errors/index.ts';
import { programFailure } from './failure.ts';
import type { Place } from './place.ts';
import type { Programs } from './programs.ts';

const run = promisify(execFile);

/** The superuser of an embedded database. Nobody signs in by password: the socket's directory is the door. */
export const databaseUser = 'berth';

/**
 * Makes the data directory unless there is one (about 0.8 s).
 * @throws BerthError `DATABASE_VERSION` for a data directory of another major version, and as `programFailure`
 */
export async function initialiseData(place: Place, programs: Programs, durable: boolean): Promise<void> {
  const version = await readFile(join(place.data, 'PG_VERSION'), 'utf8').catch(() => null);
  if (version !== null) {
    if (version.trim() === programs.major) return;
    throw new BerthError(
      'DATABASE_VERSION',
      `The data directory ${place.data} belongs to PostgreSQL ${version.trim()}, this is ${programs.major}.`,
      { details: { data: place.data, found: version.trim(), needed: programs.major } },
    );
  }
  const draft = `${place.data}.${process.pid}-${randomBytes(4).toString('hex')}`;
  await mkdir(draft, { mode: 0o700 });
  try {
    const account = place.account === null ? null : await accountOfInitdb();
    if (account !== null) await chown(draft, account.uid, account.gid);
    await run(
      programs.initdb,
      [
        `--pgdata=${draft}`,
        `--username=${databaseUser}`,
        '--auth=trust',
        '--encoding=UTF8',
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--no-instructions',
        ...(durable ? [] : ['--no-sync']),
      ],
      { cwd: '/', env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' }, ...account },
    );
    if (place.account !== null) await giveTree(draft, place.account.uid, place.account.gid);
    await chmod(draft, 0o700);
    await rename(draft, place.data);
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw programFailure('initdb failed', `${String(error)}\n${stdout}\n${stderr}`, error);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/**
 * initdb, unlike the server, insists on a uid with an entry in passwd; so it works as `nobody` in a directory that
 * is handed to the server's own uid afterwards.
 */
async function accountOfInitdb(): Promise<{ uid: number; gid: number }> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const rows = passwd.split('\n').map((line) => line.split(':'));
  const row = rows.find(([name]) => name === 'nobody') ?? rows.find(([, , uid]) => Number(uid) > 0);
  if (row === undefined) {
    throw new BerthError(
      'DATABASE_PERMISSION',
      'PostgreSQL does not run as root, and there is no other account.',
      {
        next: 'Start Berth as an ordinary user, add the account `nobody`, or set DATABASE_URL.',
      },
    );
  }
  return { uid: Number(row[2]), gid: Number(row[3]) };
}

async function giveTree(path: string, uid: number, gid: number): Promise<void> {
  await lchown(path, uid, gid);
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) await giveTree(child, uid, gid);
    else await lchown(child, uid, gid);
  }
}
