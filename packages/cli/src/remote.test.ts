import { execFileSync } from 'node:child_process';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createApi } from '@berth/server/api/create-api.ts';
import { localPrincipal } from '@berth/server/domain/access.ts';
import { BerthError } from '@berth/server/domain/errors/index.ts';
import { FakeControlPlane } from '@berth/server/testing/fake-control-plane.ts';
import { World } from './testing/spawn-berth.ts';
import { hasTmux, Terminal } from './testing/terminal.ts';

const token = `berth_0123456789abcdef_${'x'.repeat(58)}`;
let world: World;
let plane: FakeControlPlane;
let url: string;
const closing: (() => Promise<void>)[] = [];
/** Authorization headers that reached a server, with its port. */
let seen: string[] = [];

beforeEach(async () => {
  world = new World();
  execFileSync('git', ['init', '-q', world.repository]);
  plane = new FakeControlPlane({ pace: 0 });
  const app = createApi(plane, {
    authenticate: async ({ headers }) => {
      seen.push(headers.authorization ?? 'none');
      if (headers.authorization !== `Bearer ${token}`) throw new BerthError('TOKEN_REFUSED');
      return { ...localPrincipal('ada'), kind: 'person', id: 'ada@example.org', via: 'token' };
    },
  });
  url = await app.listen({ host: '127.0.0.1', port: 0 });
  seen = [];
  closing.push(async () => {
    plane.stop();
    await app.close();
  });
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await world.end();
});

const file = (): string => join(world.directory, '.config', 'berth', 'config.yaml');
const signIn = async () => world.run(['login', '--server', url, '--token-stdin'], { stdin: `${token}\n` });

/** A server of a test's own; what it was asked is in `requests`. */
async function bare(
  answer: (request: IncomingMessage) => { status: number; headers: Record<string, string> },
): Promise<{ url: string; requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = [];
  const server: Server = createServer((request, reply) => {
    requests.push(request);
    const { status, headers } = answer(request);
    reply.writeHead(status, headers).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => new Promise((resolve) => server.close(() => resolve())));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

test('login keeps what the server took, for this account alone, and never prints it', async () => {
  const { code, stdout, stderr } = await signIn();
  expect([code, stdout]).toEqual([0, '']);
  expect(stderr).toContain(`Signed in to ${url}`);
  expect(stderr).not.toContain(token);
  expect(statSync(file()).mode & 0o777).toBe(0o600);
  expect(readFileSync(file(), 'utf8')).toContain(token);
  const listed = await world.run(['context', 'list']);
  expect(listed.stdout).toContain(url);
  expect(listed.stdout + listed.stderr).not.toContain(token);
});

test('a token that the server refuses is not kept', async () => {
  const { code, stderr } = await world.run(['login', '--server', url, '--token-stdin'], {
    stdin: 'berth_wrong',
  });
  expect([code, stderr]).toEqual([4, expect.stringContaining('TOKEN_REFUSED')]);
  expect(existsSync(file())).toBe(false);
});

test('the same commands work against the server signed in to; nothing is hosted here', async () => {
  await signIn();
  execFileSync('git', [
    '-C',
    world.repository,
    'remote',
    'add',
    'origin',
    'https://me:secret@host.example/team/lib.git',
  ]);
  const ran = await world.run(['run', 'fix it', '--json']);
  expect([ran.code, ran.stderr]).toEqual([0, '']);
  const run = JSON.parse(ran.stdout) as { id: string };
  expect((await world.run(['runs', '-q'])).stdout.trim()).toBe(run.id);
  expect((await world.run(['show', '--json'])).code).toBe(0);
  expect((await world.run(['logs', run.id, '--jsonl'])).code).toBe(0);
  expect((await world.run(['diff', run.id])).code).toBe(0);
  expect((await world.run(['doctor', '--exit-zero'])).code).toBe(0);
  expect(existsSync(world.home)).toBe(false);
  // The server is told the remote's URL, without the credential in it.
  const created = (await plane.listEvents(run.id, { afterSeq: 0, limit: 1 }))[0]?.data as {
    repository: string;
  };
  expect(created.repository).toBe('https://host.example/team/lib.git');
});

test('a repository that no other machine can read is refused with what to do', async () => {
  await signIn();
  const without = await world.run(['run', 'fix it']);
  expect([without.code, without.stderr]).toEqual([
    8,
    expect.stringMatching(/has no remote[\s\S]*REPO_WITHOUT_REMOTE/),
  ]);
  execFileSync('git', ['-C', world.repository, 'remote', 'add', 'origin', '/srv/lib.git']);
  expect((await world.run(['run', 'fix it'])).stderr).toContain('is a path of this machine');
  expect((await world.run(['run', 'fix it', '--repo', 'git@host.example:team/lib.git', '-q'])).code).toBe(0);
});

test('flags win over the environment, that over the context; local is the data directory', async () => {
  const env = { BERTH_SERVER: url, BERTH_TOKEN: token };
  expect((await world.run(['runs', '--json'], { env })).code).toBe(0);
  expect(seen).toEqual([`Bearer ${token}`]);
  await world.serve();
  seen = [];
  await signIn();
  seen = [];
  expect((await world.run(['runs', '--server', 'local', '--json'])).code).toBe(0);
  expect((await world.run(['--server', 'local', 'runs', '--json'])).code).toBe(0);
  expect(seen).toEqual([]);
  expect((await world.run(['runs', '--json'])).code).toBe(0);
  expect(seen).toHaveLength(1);
  expect((await world.run(['context', 'use', 'local'])).code).toBe(0);
  seen = [];
  expect((await world.run(['runs', '--json'])).code).toBe(0);
  expect(seen).toEqual([]);
  expect((await world.run(['context', 'use', 'nowhere'])).code).toBe(8);
});

test('a token goes to the server it was given for and to no other', async () => {
  await signIn();
  const other = await bare(() => ({ status: 200, headers: {} }));
  await world.run(['runs', '--server', other.url]);
  await world.run(['runs', '--server', other.url], { env: { BERTH_SERVER: url, BERTH_TOKEN: token } });
  expect(other.requests.length).toBeGreaterThan(0);
  expect(other.requests.map((request) => request.headers.authorization)).toEqual(
    other.requests.map(() => undefined),
  );
});

test('redirects are refused, and the token does not follow them', async () => {
  const target = await bare(() => ({ status: 200, headers: {} }));
  const door = await bare(() => ({ status: 307, headers: { location: `${target.url}/api/v1/runs` } }));
  const env = { BERTH_TOKEN: token };
  const { code, stderr } = await world.run(['runs', '--server', door.url], { env });
  expect([code, stderr]).toEqual([4, expect.stringContaining('SERVER_REDIRECTED')]);
  expect(target.requests).toEqual([]);
});

test('plain http to another machine is refused before anything is sent', async () => {
  const env = { BERTH_TOKEN: token };
  const { code, stderr } = await world.run(['runs', '--server', 'http://192.0.2.1:1'], { env });
  expect([code, stderr]).toEqual([4, expect.stringContaining('SERVER_INSECURE')]);
  for (const server of ['ftp://host', 'https://a:b@host', 'host', 'https://host/path']) {
    expect([server, (await world.run(['runs', '--server', server], { env })).code]).toEqual([server, 2]);
  }
});

test('a file with tokens that others can read is not used', async () => {
  await signIn();
  chmodSync(file(), 0o644);
  const { code, stderr } = await world.run(['runs']);
  expect([code, stderr]).toEqual([4, expect.stringContaining('CREDENTIALS_UNSAFE')]);
  chmodSync(file(), 0o600);
  writeFileSync(file(), 'contexts: [nonsense');
  expect((await world.run(['runs'])).code).toBe(2);
});

test('logout forgets the token; a server that is not there is named', async () => {
  await signIn();
  const { code, stderr } = await world.run(['logout']);
  expect([code, stderr]).toEqual([0, expect.stringContaining('still holds')]);
  expect(readFileSync(file(), 'utf8')).not.toContain(token);
  expect((await world.run(['logout'])).code).toBe(4);
  const gone = await world.run(['whoami', '--server', 'http://127.0.0.1:1'], { env: { BERTH_TOKEN: token } });
  expect([gone.code, gone.stderr]).toEqual([
    10,
    expect.stringContaining('http://127.0.0.1:1 does not answer'),
  ]);
});

test('api sends any request, signed in, with fields or a body', async () => {
  await signIn();
  const created = await world.run([
    'api',
    'POST',
    '/tasks',
    '-f',
    'repository=https://host.example/lib.git',
    '-f',
    'text=fix it',
  ]);
  expect([created.code, created.stderr]).toEqual([0, '']);
  const { run } = JSON.parse(created.stdout) as { run: { id: string } };
  expect(JSON.parse((await world.run(['api', '/runs', '-f', 'limit=1'])).stdout)).toMatchObject({
    runs: [{ id: run.id }],
  });
  const body = JSON.stringify({ repository: 'https://host.example/lib.git', text: 'more' });
  expect((await world.run(['api', 'post', '/api/v1/tasks', '--input', '-'], { stdin: body })).code).toBe(0);
  const missing = await world.run(['api', '/runs/r-none', '--json']);
  expect([missing.code, missing.stdout, missing.stderr]).toEqual([
    8,
    '',
    expect.stringContaining('NOT_FOUND'),
  ]);
  for (const args of [
    ['/runs', '--input', 'x'],
    ['//host/x'],
    ['runs'],
    ['FETCH', '/runs'],
    ['/runs', '-f', 'x'],
  ]) {
    expect([args, (await world.run(['api', ...args])).code]).toEqual([args, 2]);
  }
});

test('api works against the data directory too', async () => {
  await world.serve();
  expect(JSON.parse((await world.run(['api', '/runs'])).stdout)).toMatchObject({ runs: [] });
});

test.skipIf(!hasTmux)('the token that is typed does not show (tmux)', async () => {
  const terminal = new Terminal(world.directory);
  closing.push(async () => terminal.close());
  mkdirSync(world.repository, { recursive: true });
  await terminal.open(world, 100, 20, ['login', '--server', url], {});
  await terminal.shows('it does not show');
  await terminal.type(`${token}y`);
  await terminal.press('BSpace');
  await terminal.press('Enter');
  await terminal.shows('Signed in to');
  expect(await terminal.history()).not.toContain('berth_');
  expect(readFileSync(file(), 'utf8')).toContain(token);
  rmSync(file());
});
