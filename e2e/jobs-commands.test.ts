import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MemoryOnlyDriver } from '../bench/lib/memory-driver.ts';
import { principalNow } from '../packages/server/src/access/principal-now.ts';
import { revocations } from '../packages/server/src/access/revocations.ts';
import { createTokens } from '../packages/server/src/access/tokens.ts';
import { systemClock } from '../packages/server/src/domain/clock.ts';
import { startServer, type RunningServer } from '../packages/server/src/main.ts';
import { openDatabase } from '../packages/server/src/store/database.ts';
import { changingConfig } from '../packages/server/src/testing/access-world.ts';
import { removeHomes } from '../packages/server/src/testing/remove-homes.ts';
import { seedDatabase } from '../packages/server/src/testing/seed-database.ts';
import { repositoryOf } from './support/start-run.ts';

/**
 * `berth schedules`, `berth campaign` and the gates of what they hand in, as three people type them against a server they
 * reach over HTTP alone. Sandboxes are simulated; the plan has no step that needs a model.
 */
const directory = mkdtempSync(join(tmpdir(), 'berth-jobs-'));
const home = join(directory, 'home');
const databaseRoot = join('/var/tmp', `berth-e2e-${process.pid}-${randomBytes(4).toString('hex')}`);
const entry = join(import.meta.dirname, '../packages/cli/src/main.ts');
const names = ['web', 'lib'] as const;
const everywhere = (role: string) => ({ web: role, lib: role });
const configuration = {
  version: 1,
  gates: { at: ['start'], selfApproval: false },
  projects: names.map((name) => ({ name, repository: join(directory, name) })),
  people: [
    { id: 'ann@example.org', projects: everywhere('approver') },
    { id: 'ben@example.org', projects: everywhere('approver') },
    { id: 'mia@example.org', projects: everywhere('maintainer') },
  ],
};
const tokens = new Map<string, string>();
let server: RunningServer;

beforeAll(async () => {
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'berth.yaml'), JSON.stringify(configuration));
  for (const name of names) {
    repositoryOf(join(directory, name), { '.berth/blueprint.yaml': 'version: 1\nsteps: [setup]\n' });
  }
  await seedDatabase({ home, rootDirectory: databaseRoot });
  server = await startServer({
    home,
    databaseRoot,
    env: {},
    parts: ['api', 'worker'],
    driver: new MemoryOnlyDriver(),
    listen: { host: '127.0.0.1', port: 0 },
    onProgress: () => undefined,
  });
  // As each of them made it after signing in.
  const signal = new AbortController().signal;
  const db = await openDatabase({ home, rootDirectory: databaseRoot, clock: systemClock, signal });
  const config = changingConfig(configuration);
  const over = revocations(db);
  const made = createTokens({ db, config, revocations: over, claimsOf: async () => [], account: 'nobody' });
  for (const { id } of configuration.people) {
    const person = { ...(await principalNow(db, config)(id)), via: 'oidc' } as const;
    const asked = { purpose: 'shell', projects: null, permissions: null, days: 1, serviceAccount: null };
    tokens.set(id.split('@')[0] ?? '', (await made.create(person, asked)).secret);
  }
  await over.close();
  await db.close();
});
afterAll(async () => {
  await server.stop();
  removeHomes(directory);
  rmSync(databaseRoot, { recursive: true, force: true });
});

/** The real command with somebody's token, on a machine that has nothing but its own home. */
async function berth(who: string, ...args: readonly string[]) {
  const elsewhere = join(directory, `home-of-${who}`);
  mkdirSync(elsewhere, { recursive: true });
  const child = spawn(process.execPath, ['--no-warnings', entry, ...args], {
    cwd: elsewhere,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: elsewhere,
      BERTH_HOME: join(elsewhere, '.berth'),
      BERTH_SERVER: server.url ?? '',
      BERTH_TOKEN: tokens.get(who) ?? '',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    // One that waits for what never comes is shown with what it said.
    timeout: 60_000,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (stdout += piece));
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (stderr += piece));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, stdout, stderr, text: stdout + stderr };
}

/** Succeeds, or shows what it said. */
async function done(who: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, text } = await berth(who, ...args);
  expect([args.join(' '), code, text]).toEqual([args.join(' '), 0, text]);
  return stdout;
}

async function refused(error: string, who: string, ...args: readonly string[]): Promise<void> {
  const { code, stderr } = await berth(who, ...args);
  expect([args.join(' '), stderr]).toEqual([args.join(' '), expect.stringContaining(error)]);
  expect(code).not.toBe(0);
}

interface Gate {
  readonly id: string;
  readonly run: string;
  readonly project: string;
}
const openGates = async (): Promise<Gate[]> =>
  (JSON.parse(await done('ben', 'gates', 'list', '--json')) as { items: Gate[] }).items;
async function gates(count: number): Promise<Gate[]> {
  let found: Gate[] = [];
  await expect.poll(async () => (found = await openGates()).length, { interval: 500 }).toBe(count);
  return found;
}

test('a schedule is made, shown, paused, run and deleted by who manages its project, and by nobody else', async () => {
  const create = ['schedules', 'create', 'nightly', 'Update', '--project', 'web'];
  const times = ['--cron', '30 2 * * *', '--zone', 'Europe/Zurich'];
  await refused('FORBIDDEN', 'ann', ...create, ...times);
  await refused('61', 'mia', ...create, '--cron', '61 * * * *');
  await refused('Mars', 'mia', ...create, '--cron', '0 1 * * *', '--zone', 'Mars/Olympus');
  await done('mia', ...create, ...times);
  await refused('CONFIG_CHANGED', 'mia', ...create, ...times);
  expect(await done('ann', 'schedules', 'list')).toContain('nightly');
  expect(await done('ann', 'schedule', 'next', 'nightly')).toMatch(/02:30 GMT\+0[12]:00/);
  await refused('FORBIDDEN', 'ann', 'schedules', 'pause', 'nightly');
  await done('mia', 'schedules', 'pause', 'nightly', '--reason', 'holidays');
  expect(await done('ann', 'schedules', 'view', 'nightly')).toContain('holidays');
  await done('mia', 'schedules', 'resume', 'nightly');
  await done('mia', 'schedules', 'run', 'nightly');
  const [gate] = await gates(1);
  // Whoever had it fire is who asked for it.
  await refused('GATE_SELF_APPROVAL', 'mia', 'approve', gate?.run ?? '', '--yes');
  await done('ann', 'refuse', gate?.run ?? '', '--yes', '-m', 'not today');
  await gates(0);
  await done('mia', 'schedules', 'rm', 'nightly');
  await refused('NOT_FOUND', 'mia', 'schedules', 'view', 'nightly');
});

test('a campaign of one person is approved by another; who asks for an attempt does not approve it either', async () => {
  const create = ['campaign', 'create', 'Say hello', '--projects', 'web,lib', '--concurrency', '2'];
  expect(await done('ann', ...create, '--dry-run')).toBe('web\nlib\n');
  await refused('NOT_FOUND', 'ann', 'campaign', 'create', 'x', '--projects', 'web,vault');
  const made = JSON.parse(await done('mia', ...create, '--json')) as { id: string };
  const { id } = made;
  expect(await done('ann', 'campaigns', 'list', '-q')).toContain(id);
  const [first, second] = await gates(2);
  await refused('GATE_SELF_APPROVAL', 'mia', 'approve', first?.run ?? '', '--yes');
  // An approver manages only campaigns of their own.
  await refused('FORBIDDEN', 'ann', 'campaign', 'cancel', id);
  await done('ben', 'approve', first?.run ?? '', '--yes');
  await done('ann', 'refuse', second?.run ?? '', '--yes', '-m', 'look again');
  const results = async () =>
    (
      JSON.parse(await done('ann', 'campaign', 'results', id, '--json')) as { items: { state: string }[] }
    ).items
      .map(({ state }) => state)
      .toSorted();
  await expect.poll(results, { interval: 500 }).not.toContain('running');
  await expect
    .poll(
      async () =>
        (JSON.parse(await done('ann', 'campaign', 'view', id, '--json')) as { state: string }).state,
    )
    .toBe('done');
  expect(await results()).toContain('succeeded');

  // ann asks for another attempt of what she refused: it is hers then as well, and mia’s as before.
  await done('ann', 'retry', second?.run ?? '', '--detach');
  const [again] = await gates(1);
  expect(again?.run).not.toBe(second?.run);
  for (const who of ['ann', 'mia']) {
    await refused('GATE_SELF_APPROVAL', who, 'approve', again?.run ?? '', '--yes');
  }
  await done('ben', 'approve', again?.run ?? '', '--yes');
  await expect.poll(results, { interval: 500 }).toEqual(['succeeded', 'succeeded']);
});
