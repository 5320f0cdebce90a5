import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { findToolchains } from './toolchains.ts';

const opt = mkdtempSync(join(tmpdir(), 'berth-opt-'));
afterAll(() => rmSync(opt, { recursive: true, force: true }));

function place(path: string): string {
  mkdirSync(join(opt, path), { recursive: true });
  return join(opt, path);
}

const sources = (...directories: readonly string[]): string[] =>
  findToolchains(directories.join(':'), '/home/nobody-here', [opt]).binds.map((bind) => bind.target);

test('an installation below a prefix is mounted whole', () => {
  expect(sources(place('tool/current/bin'))).toEqual([join(opt, 'tool')]);
});

test('a project that has its own programs on PATH is not a tool: nothing of it is mounted', () => {
  const bin = place('app/node_modules/.bin');
  const venv = place('app/.venv/bin');
  const own = place('app/bin');
  writeFileSync(join(opt, 'app', '.env'), 'API_KEY=hunter2');
  expect(sources(bin, venv, own)).toEqual([]);
  const nested = place('team/service/bin');
  mkdirSync(join(opt, 'team', 'service', '.git'));
  expect(sources(nested)).toEqual([]);
});
