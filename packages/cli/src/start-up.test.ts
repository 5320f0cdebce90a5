import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { nearest } from './nearest.ts';
import { World } from './testing/spawn-berth.ts';
import { version } from './version.ts';

/** Everything that is loaded before a command is chosen. */
function staticImports(file: string, seen = new Set<string>()): Set<string> {
  for (const [, specifier] of readFileSync(file, 'utf8').matchAll(
    /^import (?!type\b)[^;]*?from '([^']+)'/gm,
  )) {
    if (!specifier!.startsWith('.')) seen.add(specifier!);
    else {
      const path = resolve(dirname(file), specifier!);
      if (!seen.has(path)) staticImports(path, seen.add(path));
    }
  }
  return seen;
}

test('before a command is chosen only commander is loaded: no server, no client, no view', () => {
  const loaded = [...staticImports(join(import.meta.dirname, 'main.ts'))].map((one) =>
    one.replace(`${import.meta.dirname}/`, ''),
  );
  expect(loaded.filter((one) => !one.endsWith('.ts') || one.startsWith('@')).toSorted()).toEqual([
    '@berth/client/api-failure.ts',
    'commander',
  ]);
  expect(loaded.filter((one) => one.startsWith('commands/') || one.startsWith('live/'))).toEqual([]);
});

test('help and version answer without a data directory or a server', async () => {
  const world = new World();
  try {
    const env = { BERTH_HOME: '/nonexistent/berth' };
    const help = await world.run(['--help'], { env });
    expect([help.code, help.stderr]).toEqual([0, '']);
    expect(help.stdout).toContain('Examples:');
    expect((await world.run(['--version'], { env })).stdout).toBe(`berth ${version}\n`);
    expect((await world.run(['version', '--json'], { env })).stdout).toContain(`"version":"${version}"`);
    expect((await world.run(['run', '--help'], { env })).stdout).toContain('--no-propose');
    expect((await world.run(['help', 'environment'], { env })).stdout).toContain('BERTH_HOME');
  } finally {
    await world.end();
  }
});

test('the version is that of the package', () => {
  const text = readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8');
  expect((JSON.parse(text) as { version: string }).version).toBe(version);
});

test('misspelt words find the near ones, far ones nothing', () => {
  const words = ['run', 'runs', 'logs', 'list', 'merge'];
  expect(nearest('lgos', words)).toEqual(['logs']);
  expect(nearest('mrge', words)).toEqual(['merge']);
  expect(nearest('xyzzy', words)).toEqual([]);
});
