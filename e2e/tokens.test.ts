import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type RunningServer } from '../packages/server/src/main.ts';
import { compileCache } from '../packages/server/src/testing/compile-cache.ts';
import { removeHomes } from '../packages/server/src/testing/remove-homes.ts';
import { seedDatabase } from '../packages/server/src/testing/seed-database.ts';
import { repositoryOf, request } from './support/start-run.ts';

const directory = mkdtempSync(join(tmpdir(), 'berth-tokens-'));
const home = join(directory, 'home');
const databaseRoot = join('/var/tmp', `berth-e2e-${process.pid}-${randomBytes(4).toString('hex')}`);
const entry = join(import.meta.dirname, '../packages/cli/src/main.ts');
let server: RunningServer;
let url = '';
let run = '';

beforeAll(async () => {
  mkdirSync(join(directory, 'elsewhere'));
  await seedDatabase({ home, rootDirectory: databaseRoot });
  server = await startServer({
    home,
    databaseRoot,
    env: {},
    // Without a worker a run waits, and a follower waits with it.
    parts: ['api'],
    listen: { host: '127.0.0.1', port: 0 },
    onProgress: () => undefined,
  });
  url = server.url ?? '';
  const repository = join(directory, 'sample');
  repositoryOf(repository, { 'README.md': '# sample\n' });
  run = (await server.controlPlane.createTask(request(repository, {}))).run.id;
});
afterAll(async () => {
  await server.stop();
  removeHomes(directory);
  rmSync(databaseRoot, { recursive: true, force: true });
});

/** The real command, on the server's machine (`here`) or on another with nothing but its own home. */
function berth(
  where: 'here' | 'elsewhere',
  args: readonly string[],
  options: { stdin?: string; env?: object } = {},
) {
  const child = spawn(process.execPath, [entry, ...args], {
    cwd: directory,
    env: {
      PATH: process.env['PATH'] ?? '',
      ...compileCache,
      HOME: join(directory, 'elsewhere'),
      BERTH_HOME: where === 'here' ? home : join(directory, 'elsewhere', '.berth'),
      ...(where === 'here' ? { BERTH_SERVER: 'local' } : {}),
      ...options.env,
    },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (stdout += piece));
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (stderr += piece));
  child.stdin.end(options.stdin ?? '');
  const finished = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { finished, stdout: () => stdout };
}

test('a token made on the server’s machine signs in from elsewhere, to what it was given and no more', async () => {
  const narrow = ['--permission', 'run.read', '--permission', 'task.create'];
  const made = await berth('here', ['tokens', 'create', '--purpose', 'pipeline', '--days', '1', ...narrow])
    .finished;
  expect([made.code, made.stdout]).toEqual([0, expect.stringMatching(/^berth_[0-9a-z]{16}_[0-9a-z]{58}\n$/)]);
  const secret = made.stdout.trim();
  const signedIn = await berth('elsewhere', ['login', '--server', url, '--token-stdin'], { stdin: secret })
    .finished;
  expect([signedIn.code, signedIn.stderr]).toEqual([0, expect.stringContaining(`Signed in to ${url}`)]);

  expect((await berth('elsewhere', ['runs', '-q']).finished).stdout.trim()).toBe(run);
  const refused = await berth('elsewhere', ['cancel', run, '--yes']).finished;
  expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining('FORBIDDEN')]);
  const minted = await berth('elsewhere', ['tokens', 'create', '--purpose', 'more']).finished;
  expect([minted.code, minted.stderr]).toEqual([4, expect.stringContaining('TOKEN_MAY_NOT_MINT')]);
  // It sees itself alone, and where it was used last.
  const [own] = JSON.parse((await berth('elsewhere', ['tokens', '--json']).finished).stdout).items;
  expect(own).toMatchObject({ purpose: 'pipeline', lastUsed: { address: '127.0.0.1' } });
  // Nothing but the token's file was made there.
  expect(readFileSync(join(directory, 'elsewhere/.config/berth/config.yaml'), 'utf8')).toContain(secret);
});

test('revoking a token ends the stream it has opened, at once', async () => {
  const made = await berth('here', ['tokens', 'create', '--purpose', 'watching', '--json']).finished;
  const { secret, token } = JSON.parse(made.stdout) as { secret: string; token: { id: string } };
  const env = { BERTH_SERVER: url, BERTH_TOKEN: secret };
  const following = berth('elsewhere', ['logs', run, '-f', '--jsonl'], { env });
  await expect.poll(() => following.stdout()).toContain('run.created');
  expect((await berth('here', ['tokens', 'revoke', token.id]).finished).code).toBe(0);
  const { code, stderr } = await following.finished;
  expect([code, stderr]).toEqual([4, expect.stringContaining('TOKEN_REVOKED')]);
});
