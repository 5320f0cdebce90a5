import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { bindToTools, insideLoader, loaderOf } from './elf.ts';
import { toolsDirectory } from './build-tools.ts';

const home = mkdtempSync(join(tmpdir(), 'berth-tools-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

test('the directory is made once, whole, by however many ask at once, and readable by every user', async () => {
  const paths = await Promise.all([toolsDirectory(home), toolsDirectory(home)]);
  expect(new Set(paths).size).toBe(1);
  expect(readdirSync(home)).toHaveLength(1);
  const inside = (path: string): string => join(paths[0], path);
  for (const path of ['bin/node', 'bin/git', 'bin/rg', 'libexec/sh', 'runner/runner.mjs', 'ld'])
    expect([path, statSync(inside(path)).mode & 0o777]).toEqual([path, 0o755]);
  for (const path of ['bin/node', 'libexec/sh', 'git/core/git', 'git/core/git-remote-http'])
    expect([path, loaderOf(inside(path))]).toEqual([path, insideLoader]);
  expect(existsSync(inside('l/libc.so.6'))).toBe(true);
});

test('the programs they were made from stay as they are', () => {
  expect(loaderOf(process.execPath)).not.toBe(insideLoader);
  const copy = join(home, 'node');
  copyFileSync(process.execPath, copy);
  bindToTools(copy);
  expect(statSync(copy).size).toBe(statSync(process.execPath).size);
});

test('what is no dynamic program is refused, and left alone', () => {
  const script = join(home, 'script');
  writeFileSync(script, '#!/bin/sh\n');
  expect(loaderOf(script)).toBeNull();
  expect(() => bindToTools(script)).toThrow('no dynamic program');
});
