import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, expect, test } from 'vitest';
import { systemClock } from '../../domain/clock.ts';
import { quickestMs } from '../../testing/quickest.ts';
import { openDatabase, type Database } from '../database.ts';
import { findPostmaster } from './postmaster.ts';
import { identify } from './process-identity.ts';

const isRoot = process.getuid?.() === 0;
/** An account with an entry in passwd, and one without. */
const other = 65_534;
const unknown = 60_901;
/** Shared, so that the programs are copied once. */
const rootDirectory = `/var/tmp/berth-embedded-root-${process.pid}`;
const directories: string[] = [];
const databases: Database[] = [];
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const db of databases.splice(0)) await db.close();
  for (const directory of directories.splice(0)) {
    await until(async () => (await findPostmaster(await dataOf(directory))) === null);
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  }
});

afterAll(() => rm(rootDirectory, { recursive: true, force: true, maxRetries: 5 }));

async function newHome(parent = '/var/tmp'): Promise<string> {
  const directory = await mkdtemp(join(parent, 'berth-embedded-'));
  // The database's account must be able to pass.
  await chmod(directory, 0o711);
  directories.push(directory);
  return directory;
}

/** Where the data of the home in `directory` is; of a home that was never opened, nowhere. */
async function dataOf(directory: string): Promise<string> {
  if (!isRoot) return join(directory, 'home/postgres/data');
  const id = await readFile(join(directory, 'home/database-id'), 'utf8').catch(() => 'none');
  const key = createHash('sha256')
    .update(`${join(directory, 'home')}\n${id.trim()}`)
    .digest('hex')
    .slice(0, 16);
  return join(rootDirectory, key, 'data');
}

async function open(directory: string, durable = false): Promise<Database> {
  const db = await openDatabase({
    home: join(directory, 'home'),
    rootDirectory,
    clock: systemClock,
    signal: AbortSignal.timeout(120_000),
    durable,
  });
  databases.push(db);
  return db;
}

/** What makes root's process another user's, who can still read this checkout where root alone may (below `/root`). */
function asUser(uid: number): readonly string[] {
  const reads = ['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search'];
  return ['setpriv', '--reuid', String(uid), '--regid', String(uid), '--clear-groups', ...reads, '--'];
}

/** Another process that uses the home's database; resolves with what it said first. */
async function startUser(directory: string, uid?: number): Promise<{ child: ChildProcess; said: string }> {
  const script = fileURLToPath(new URL('../../testing/database-user.ts', import.meta.url));
  const [program, ...rest] = [
    ...(uid === undefined ? [] : asUser(uid)),
    process.execPath,
    script,
    join(directory, 'home'),
    rootDirectory,
  ];
  const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'pipe'] });
  children.push(child);
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await Promise.race([
    until(() => Promise.resolve(said.includes('\n') && !said.startsWith('(node'))),
    once(child, 'exit'),
  ]);
  return { child, said };
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await systemClock.sleep(10);
}

test('a first start is quick, a later one quicker, and what was stored is still there', async () => {
  const directory = await newHome();
  const firstMs = systemClock.monotonicMs();
  const first = await open(directory, true);
  const firstTookMs = systemClock.monotonicMs() - firstMs;
  await first.sql.insertInto('projects').values({ id: 'p-1', name: 'p', repository: '/p' }).execute();
  await first.close();
  expect(await findPostmaster(await dataOf(directory))).toBeNull();
  // How long a start takes is the machine's; a later one makes nothing anew.
  const laterTookMs = await quickestMs(firstTookMs, async () => {
    const startedMs = systemClock.monotonicMs();
    const later = await open(directory, true);
    const tookMs = systemClock.monotonicMs() - startedMs;
    await later.close();
    return tookMs;
  });
  expect(laterTookMs).toBeLessThan(firstTookMs);
  const last = await open(directory, true);
  expect(await last.sql.selectFrom('projects').select('id').execute()).toEqual([{ id: 'p-1' }]);
});

test('it listens on a unix socket in a closed directory and nowhere else', async () => {
  const directory = await newHome();
  const db = await open(directory);
  const { pid = 0, sockets = '' } = (await findPostmaster(await dataOf(directory))) ?? {};
  expect((await stat(sockets)).mode & 0o777).toBe(0o700);
  expect((await stat(join(sockets, '.s.PGSQL.5432'))).mode & 0o077).toBe(0);
  if (process.platform === 'linux') {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    expect(/^Uid:\t(\d+)/m.exec(status)?.[1]).toBe(String(isRoot ? 60_900 : process.getuid?.()));
  }
  const { rows } = await db.sql
    .selectNoFrom((eb) => eb.fn<string>('current_setting', [eb.val('listen_addresses')]).as('value'))
    .execute()
    .then((found) => ({ rows: found }));
  expect(rows).toEqual([{ value: '' }]);
});

test('many processes at once get one server; it outlives all but the last, also when that one is killed', async () => {
  const directory = await newHome();
  const users = await Promise.all([startUser(directory), startUser(directory), startUser(directory)]);
  expect(users.map((user) => user.said.slice(0, 5))).toEqual(['ready', 'ready', 'ready']);
  const data = await dataOf(directory);
  const server = await findPostmaster(data);
  for (const user of users.slice(0, 2)) {
    user.child.kill('SIGKILL');
    await once(user.child, 'exit');
  }
  const late = await startUser(directory);
  expect(late.said).toBe('ready 4\n');
  expect((await findPostmaster(data))?.pid).toBe(server?.pid);
  users[2].child.kill('SIGKILL');
  late.child.kill('SIGKILL');
  await until(async () => (await identify(server!.pid)) === null);
});

test('a server whose last user was killed is adopted by one that comes at once', async () => {
  const directory = await newHome();
  for (let round = 1; round <= 4; round += 1) {
    const { child, said } = await startUser(directory);
    expect(said).toBe(`ready ${round}\n`);
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});

test('a server that was killed comes back by itself for those who use it', async () => {
  const directory = await newHome();
  const db = await open(directory);
  await db.sql.insertInto('projects').values({ id: 'p-1', name: 'p', repository: '/p' }).execute();
  process.kill((await findPostmaster(await dataOf(directory)))!.pid, 'SIGKILL');
  const read = async (): Promise<boolean> => {
    try {
      return (await db.sql.selectFrom('projects').select('id').execute()).length === 1;
    } catch (error) {
      expect(error).toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
      return false;
    }
  };
  await until(read);
});

test('a home that was deleted and made again begins with an empty database', async () => {
  const directory = await newHome();
  const first = await open(directory);
  await first.sql.insertInto('projects').values({ id: 'p-1', name: 'p', repository: '/p' }).execute();
  await first.close();
  await rm(join(directory, 'home'), { recursive: true });
  const second = await open(directory);
  expect(await second.sql.selectFrom('projects').select('id').execute()).toEqual([]);
});

test('a home with a long path still gets a socket', async () => {
  const directory = await newHome();
  const deep = join(directory, 'long'.repeat(30), 'longer'.repeat(20));
  await mkdir(deep, { recursive: true });
  const db = await openDatabase({
    home: deep,
    rootDirectory,
    clock: systemClock,
    signal: AbortSignal.timeout(120_000),
  });
  expect(db.address.kind === 'socket' && db.address.directory.length).toBeLessThan(90);
  await db.close();
});

test('a data directory of another major version is refused and not touched', async () => {
  const directory = await newHome();
  const db = await open(directory);
  await db.close();
  const marker = join(await dataOf(directory), 'PG_VERSION');
  await writeFile(marker, '15\n');
  await expect(open(directory)).rejects.toMatchObject({ code: 'DATABASE_VERSION' });
  expect(await readFile(marker, 'utf8')).toBe('15\n');
});

test('a server that does not start tells why, with its own words', async () => {
  const directory = await newHome();
  await (await open(directory)).close();
  await writeFile(join(await dataOf(directory), 'postgresql.conf'), 'shared_buffers = nonsense\n');
  const error = await open(directory).then(
    () => null,
    (failure: { code: string; details: { log: string } }) => failure,
  );
  expect(error?.code).toBe('DATABASE_START_FAILED');
  expect(error?.details.log).toContain('nonsense');
});

test.skipIf(!isRoot)(
  'as root it also serves a home that nobody else can enter (root is missing)',
  async () => {
    const directory = await newHome('/root');
    await chmod(directory, 0o700);
    const db = await openDatabase({
      home: join(directory, 'home'),
      rootDirectory,
      clock: systemClock,
      signal: AbortSignal.timeout(120_000),
    });
    expect(await db.sql.selectFrom('projects').select('id').execute()).toEqual([]);
    await db.close();
  },
);

test.skipIf(!isRoot)('as an ordinary user everything is in the home (root is missing)', async () => {
  const directory = await newHome();
  await mkdir(join(directory, 'home'));
  await chown(directory, other, other);
  await chown(join(directory, 'home'), other, other);
  const { child, said } = await startUser(directory, other);
  expect(said).toBe('ready 1\n');
  const data = join(directory, 'home/postgres/data');
  expect((await stat(data)).uid).toBe(other);
  child.stdin?.write('close\n');
  await once(child, 'exit');
  expect(await findPostmaster(data)).toBeNull();
});

test.skipIf(!isRoot)('a home that may not be written is named with a code (root is missing)', async () => {
  const directory = await newHome();
  await mkdir(join(directory, 'home'), { mode: 0o755 });
  const { said } = await startUser(directory, other);
  expect(said).toMatch(/^DATABASE_PERMISSION /);
});

test.skipIf(!isRoot)('a user without an entry in passwd is told so (root is missing)', async () => {
  const directory = await newHome();
  await mkdir(join(directory, 'home'));
  await chown(join(directory, 'home'), unknown, unknown);
  const { said } = await startUser(directory, unknown);
  expect(said).toMatch(/^DATABASE_PERMISSION The user that runs Berth has no entry in passwd/);
});
