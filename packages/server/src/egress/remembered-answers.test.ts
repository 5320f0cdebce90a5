import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Clock } from '../domain/ports/clock.ts';
import { systemClock } from '../domain/clock.ts';
import { answersDirectory, rememberAnswers } from './remembered-answers.ts';

const hourMs = 60 * 60 * 1_000;
let home: string;
let directory: string;
let nowMs: number;
let asked: string[];
const clock: Clock = { ...systemClock, nowMs: () => nowMs };

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'berth-answers-'));
  directory = join(home, 'cache/berth/tools');
  nowMs = Date.now();
  asked = [];
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** As each start of a server has it. */
function started(answer: string | null, env: NodeJS.ProcessEnv = {}) {
  const ask = (file: string, args: readonly string[]) => {
    asked.push([file, ...args].join(' '));
    return Promise.resolve(answer);
  };
  return rememberAnswers(ask, { directory, clock, env: { HOME: home, PATH: join(home, 'bin'), ...env } });
}

test('a tool is asked once, and again after an hour', async () => {
  expect(await started('https://one.example/')('npm', ['config'])).toBe('https://one.example/');
  expect(await started('https://two.example/')('npm', ['config'])).toBe('https://one.example/');
  expect(await started('https://other.example/')('npm', ['other'])).toBe('https://other.example/');
  nowMs += hourMs;
  expect(await started('https://two.example/')('npm', ['config'])).toBe('https://two.example/');
  // A clock that was put back proves nothing.
  nowMs -= 2 * hourMs;
  await started('https://three.example/')('npm', ['config']);
  expect(asked).toEqual(['npm config', 'npm other', 'npm config', 'npm config']);
});

test('it is asked again when its settings, its environment or the tool itself are others', async () => {
  const ask = async (env: NodeJS.ProcessEnv = {}) => {
    const before = asked.length;
    await started('https://one.example/', env)('npm', ['config']);
    return asked.length > before;
  };
  expect(await ask()).toBe(true);
  expect(await ask()).toBe(false);
  writeFileSync(join(home, '.npmrc'), 'registry=https://two.example/\n');
  expect(await ask()).toBe(true);
  mkdirSync(join(home, '.config/pip'), { recursive: true });
  writeFileSync(join(home, '.config/pip/pip.conf'), '[global]\n');
  expect(await ask()).toBe(true);
  mkdirSync(join(home, 'bin'));
  writeFileSync(join(home, 'bin/npm'), '#!/bin/sh\n');
  expect(await ask()).toBe(true);
  expect(await ask({ npm_config_registry: 'https://three.example/' })).toBe(true);
  expect(await ask({ SOMETHING_ELSE: '1' })).toBe(false);
});

test('credentials are never written down, not even those of the environment', async () => {
  const answers = [
    'https://ann:t0ken@npm.example/',
    "global.index-url='https://t0ken@pip.example/simple'",
    'https://npm.example/?key=t0ken',
    "global.proxy='ann:t0ken@proxy.example:3128'",
    'http://[t0ken',
  ];
  for (const answer of answers) {
    expect(await started(answer, { npm_config__authToken: 't0ken' })('npm', ['config'])).toBe(answer);
  }
  expect(asked).toHaveLength(answers.length);
  await started('https://npm.example/', { npm_config__authToken: 't0ken' })('npm', ['config']);
  const written = readdirSync(directory).map((name) => name + readFileSync(join(directory, name), 'utf8'));
  expect(written).toHaveLength(1);
  expect(written.join()).not.toContain('t0ken');
});

test('what pip’s help says of its built-in index is remembered', async () => {
  const help = `--proxy <proxy>  scheme://[user:passwd@]proxy.server:port.
    -i, --index-url <url>  Base URL (default https://index.example/simple).`;
  await started(help)('python3', ['-m', 'pip', 'download', '--help']);
  expect(await started('another')('python3', ['-m', 'pip', 'download', '--help'])).toBe(help);
});

test('a failure is asked again', async () => {
  expect(await started(null)('npm', ['config'])).toBeNull();
  expect(await started('https://one.example/')('npm', ['config'])).toBe('https://one.example/');
});

test('what somebody else could have written, or what is no answer, is not believed', async () => {
  await started('https://one.example/')('npm', ['config']);
  const file = join(directory, readdirSync(directory)[0]!);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  chmodSync(file, 0o666);
  expect(await started('https://two.example/')('npm', ['config'])).toBe('https://two.example/');
  for (const text of ['', '{}', '[]', 'null', '{"askedMs":"x","answer":1}']) {
    writeFileSync(file, text, { mode: 0o600 });
    expect(await started('https://three.example/')('npm', ['config'])).toBe('https://three.example/');
  }
});

test('where nothing can be written, every start asks', async () => {
  writeFileSync(join(home, 'cache'), 'no directory');
  expect(await started('https://one.example/')('npm', ['config'])).toBe('https://one.example/');
  expect(await started('https://two.example/')('npm', ['config'])).toBe('https://two.example/');
});

test('old answers do not pile up', async () => {
  await started('https://one.example/')('npm', ['config']);
  const old = (nowMs - 25 * hourMs) / 1_000;
  for (const name of readdirSync(directory)) utimesSync(join(directory, name), old, old);
  await started('https://one.example/')('npm', ['other']);
  expect(readdirSync(directory)).toHaveLength(1);
});

test('they lie in the account’s cache', () => {
  expect(answersDirectory({ XDG_CACHE_HOME: '/x' })).toBe('/x/berth/tools');
  expect(answersDirectory({ XDG_CACHE_HOME: 'relative' })).toMatch(/\/\.cache\/berth\/tools$/);
});
