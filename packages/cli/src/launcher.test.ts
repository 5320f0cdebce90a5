import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exitCodes } from './exit-codes.ts';
import { createProgram } from './program.ts';
import { processIo } from './process-io.ts';
import { loadServer } from './server-module.ts';
import { version } from './version.ts';

const root = resolve(import.meta.dirname, '..', '..', '..');
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth launcher '));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function launch(path: string, env: Record<string, string> = {}) {
  return spawnSync(path, ['--version'], {
    cwd: '/',
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin', HOME: directory, ...env },
  });
}

test('it runs from any directory and through chains of links, relative ones too', () => {
  symlinkSync(join(root, 'berth'), join(directory, 'one'));
  symlinkSync('one', join(directory, 'two links'));
  const { status, stdout } = launch(join(directory, 'two links'));
  expect([status, stdout]).toEqual([0, `berth ${version}\n`]);
});

test('without its dependencies it says what to do', () => {
  const bare = join(directory, 'bare');
  mkdirSync(bare);
  copyFileSync(join(root, 'berth'), join(bare, 'berth'));
  const { status, stderr } = launch(join(bare, 'berth'));
  expect(status).toBe(1);
  expect(stderr).toContain('make setup');
});

test('with a Node that is too old it says which one it needs', () => {
  const old = join(directory, 'old');
  mkdirSync(join(old, 'node_modules', 'commander'), { recursive: true });
  mkdirSync(join(old, 'bin'));
  copyFileSync(join(root, 'berth'), join(old, 'berth'));
  writeFileSync(join(old, 'bin', 'node'), '#!/bin/sh\n[ "$1" = -p ] && echo 20 || echo v20.1.0\n', {
    mode: 0o755,
  });
  const { status, stderr } = launch(join(old, 'berth'), { PATH: `${join(old, 'bin')}:/usr/bin:/bin` });
  expect(status).toBe(1);
  expect(stderr).toContain('Node 24');
  expect(stderr).toContain('v20.1.0');
});

test('docs/cli.md names every command that is not hidden and every exit code', () => {
  const text = readFileSync(join(root, 'docs', 'cli.md'), 'utf8');
  const program = createProgram(processIo(loadServer), () => undefined);
  for (const command of program.createHelp().visibleCommands(program))
    expect(text).toContain(`\`${command.name()}`);
  for (const [code, meaning] of exitCodes) expect(text).toContain(`| ${code} | ${meaning} |`);
});
