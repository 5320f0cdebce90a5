import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { World } from './testing/spawn-berth.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(async () => world.end());

const write = (text: string | Uint8Array, name = 'berth.yaml'): void =>
  writeFileSync(join(world.repository, name), text);

test('a valid file is said to be, without a server', async () => {
  write('version: 1\nprojects: [{ name: lib, repository: "${env:WHERE}/lib" }]\n');
  const { code, stdout, stderr } = await world.run(['config', 'check'], { env: { WHERE: '/srv' } });
  expect([code, stdout]).toEqual([0, '']);
  expect(stderr).toBe('berth.yaml is valid.\n');
});

test('problems are lines with their place, and the exit code is 2', async () => {
  write(
    'version: 1\nlimitz: {}\nprojects:\n  - name: lib\n    repository: /srv/lib\n    blueprint: "version: 9"\n',
    'x.yaml',
  );
  const { code, stdout } = await world.run(['config', 'check', 'x.yaml']);
  expect(code).toBe(2);
  expect(stdout.split('\n')[0]).toContain('x.yaml:2:1: unknown key "limitz" (did you mean limits?)');
  const json = await world.run(['config', 'check', 'x.yaml', '--json']);
  expect([json.code, JSON.parse(json.stdout)]).toEqual([
    2,
    expect.objectContaining({
      ok: false,
      path: 'x.yaml',
      problems: [expect.objectContaining({ line: 2, column: 1 })],
    }),
  ]);
});

test.each([
  ['control characters', 'version: "\\e[2J"\n'],
  ['no UTF-8', Uint8Array.of(0x76, 0xff, 0xfe)],
  [
    'a blueprint that is none',
    'version: 1\nprojects: [{ name: a, repository: /r, blueprint: "version: 9" }]\n',
  ],
])('%s: exit code 2, and nothing harmful is printed', async (_, text) => {
  write(text);
  const { code, stdout } = await world.run(['config', 'check']);
  expect(code).toBe(2);
  expect(stdout).toMatch(/^berth\.yaml:\d+:\d+: \S/);
  expect(stdout).not.toContain('\u001B');
});

test('a file that is not there is said to be', async () => {
  const { code, stderr } = await world.run(['config', 'check', 'nowhere.yaml']);
  expect(code).toBe(2);
  expect(stderr).toContain('There is no file nowhere.yaml.');
});

test('the path is that of BERTH_CONFIG, else of the data directory', async () => {
  expect((await world.run(['config', 'path'])).stdout).toBe(`${join(world.home, 'berth.yaml')}\n`);
  const named = await world.run(['config', 'path'], { env: { BERTH_CONFIG: '/etc/berth/x.yaml' } });
  expect(named.stdout).toBe('/etc/berth/x.yaml\n');
});
