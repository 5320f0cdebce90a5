import { afterAll, beforeAll, expect, test } from 'vitest';
import { runViewSchema } from '@berth/server/domain/views.ts';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FakeControlPlane } from '@berth/server/testing/fake-control-plane.ts';
import { World } from './testing/spawn-berth.ts';

let world: World;
let plane: FakeControlPlane;
beforeAll(async () => {
  world = new World();
  plane = await world.serve({ pace: 0.2 });
});
afterAll(async () => world.end());

const start = async (text: string): Promise<string> => (await world.run(['run', text, '-q'])).stdout.trim();

test('--json=? lists the fields, without a server', async () => {
  const env = { BERTH_HOME: '/nonexistent/berth' };
  for (const args of [['runs'], ['show'], ['run', 'x'], ['runs', 'list']]) {
    const { code, stdout } = await world.run([...args, '--json=?'], { env });
    expect([code, stdout.trim().split('\n')]).toEqual([0, Object.keys(runViewSchema.shape)]);
  }
  expect((await world.run(['status', 'r-x', '--json=?'], { env })).stdout).toContain('lastEventAt\n');
});

test('a run is named by its pull request, its URL, or as the newest of all', async () => {
  const first = await start('first');
  for (const name of ['#1', 'lib#1', 'file:///forge/demo/pulls/1']) {
    expect((await world.run(['show', name, '-q'])).stdout.trim()).toBe(first);
  }
  const second = await start('{limit} second');
  for (const command of ['show', 'status', 'diff', 'logs']) {
    expect((await world.run([command, '--last', '--json'])).code).toBe(0);
  }
  expect((await world.run(['show', '--last', '-q'])).stdout.trim()).toBe(second);
  expect((await world.run(['proposals', 'show', '-q'])).stdout.trim()).toBe(first);
  expect((await world.run(['show', '#7'])).code).toBe(8);
});

test('-o wide adds columns behind the others', async () => {
  const cells = async (...args: string[]): Promise<string[]> =>
    (await world.run(args)).stdout.split('\n')[0]!.split('\t');
  const narrow = await cells('runs');
  const wide = await cells('runs', '-o', 'wide');
  expect(wide.slice(0, narrow.length)).toEqual(narrow);
  expect(wide.length).toBeGreaterThan(narrow.length);
  expect((await cells('proposals', '-o', 'wide')).at(-1)).toBe('file:///forge/demo/pulls/1');
  expect((await world.run(['runs', '-o', 'tall'])).code).toBe(2);
});

test('--exit-zero drops how a run ended, not that a command failed', async () => {
  const id = await start('{failed} fix it');
  expect((await world.run(['watch', id])).code).toBe(3);
  expect((await world.run(['watch', id, '--exit-zero'])).code).toBe(0);
  expect((await world.run(['watch', 'r-none', '--exit-zero'])).code).toBe(8);
});

test('--watch prints what is new or different until the run ends; --json is refused', async () => {
  const running = world.start(['run', 'watched', '-q']);
  await expect
    .poll(async () => (await world.run(['runs', '--json'])).stdout.includes('"watched"'))
    .toBe(true);
  const { code, stdout } = await world.run(['show', '-w']);
  expect(code).toBe(0);
  expect(stdout.match(/^title\twatched$/gm)).toHaveLength(1);
  expect(stdout).toMatch(/^status\tsucceeded/m);
  const list = world.start(['runs', '-w', '--jsonl']);
  await list.wrote('"title":"watched"');
  list.child.kill('SIGINT');
  expect((await list.finished).code).toBe(130);
  expect((await world.run(['runs', '-w', '--json'])).code).toBe(2);
  await running.finished;
});

test('without a terminal cancel does not ask, and merge says how the change is brought home', async () => {
  const id = await start('to merge');
  const merged = await world.run(['proposals', 'merge', id]);
  expect([merged.code, merged.stderr]).toEqual([
    0,
    `Merged #1 "to merge" into main.\n  next: git -C ${world.repository} pull /forge/demo.git main\n`,
  ]);
  const again = await world.run(['proposals', 'close', id]);
  expect(again.code).toBe(9);
  expect(plane.acts).toContain('merged tester');
});

test('under GitHub Actions the evidence is the job’s summary', async () => {
  const file = join(world.directory, 'summary.md');
  const env = { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: file };
  expect((await world.run(['run', 'fix `it`'], { env })).code).toBe(0);
  const text = readFileSync(file, 'utf8');
  expect(text).toContain('### Berth: `` fix `it` ``');
  expect(text).toMatch(/\| `test` \| `npm test` \| verify \| 0 \|/);
  await world.run(['run', 'elsewhere'], { env: { GITHUB_STEP_SUMMARY: file } });
  expect(readFileSync(file, 'utf8')).toBe(text);
});
