import { existsSync, statSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { gitIn, makeRepository, TestPlace } from '../testing/git-fixtures.ts';
import { git, gitText } from './git-process.ts';
import { probeGit } from './probe-git.ts';

const { signal } = new AbortController();
let place: TestPlace;
beforeEach(() => {
  place = new TestPlace();
});
afterEach(() => place.cleanUp());

/** Runs a shell through git, as a configured helper would be run. */
const throughGit = (script: string) => ['-c', `alias.x=!${script}`, 'x'];

test('inherits nothing of the worker’s environment', async () => {
  process.env['BERTH_TEST_SECRET'] = 'canary';
  process.env['GIT_DIR'] = '/elsewhere';
  try {
    const seen = await gitText({ args: throughGit('env'), cwd: place.root, signal });
    expect(seen).toContain('GIT_TERMINAL_PROMPT=0');
    expect(seen).not.toContain('canary');
    expect(seen).not.toContain('/elsewhere');
  } finally {
    delete process.env['BERTH_TEST_SECRET'];
    delete process.env['GIT_DIR'];
  }
});

test('ends with all its helpers on time-out and on abort', async () => {
  const script = (name: string) => throughGit(`sleep 30; touch '${place.path(name)}'`);
  const began = performance.now();
  await expect(git({ args: script('late'), cwd: place.root, signal, timeoutMs: 200 })).rejects.toMatchObject({
    code: 'GIT_TIMEOUT',
  });
  const stop = new AbortController();
  const running = git({ args: script('aborted'), cwd: place.root, signal: stop.signal });
  setTimeout(() => stop.abort(new Error('enough')), 200);
  await expect(running).rejects.toThrow('enough');
  expect(performance.now() - began).toBeLessThan(25_000);
  expect([existsSync(place.path('late')), existsSync(place.path('aborted'))]).toEqual([false, false]);
});

test('output is bounded', async () => {
  const flood = git({ args: throughGit('yes'), cwd: place.root, signal, maxOutputBytes: 100_000 });
  await expect(flood).rejects.toMatchObject({ code: 'GIT_OUTPUT_TOO_LARGE' });
});

test('output that a full disk did not take is a failure, whatever git thinks', async () => {
  const wanted = { args: throughGit('head -c 300000 /dev/zero'), cwd: place.root, signal };
  await expect(git({ ...wanted, outputFile: '/dev/full' })).rejects.toMatchObject({ code: 'GIT_DISK_FULL' });
  await git({ ...wanted, outputFile: place.path('whole') });
  expect(statSync(place.path('whole')).size).toBe(300_000);
});

test('no transport is open unless it is named, whatever a repository’s configuration says', async () => {
  const source = makeRepository(place.path('source'), { a: 'a' });
  gitIn(source, ['config', 'protocol.file.allow', 'always']);
  gitIn(source, ['config', 'protocol.ext.allow', 'always']);
  await expect(git({ args: ['ls-remote', source], cwd: source, signal })).rejects.toThrow('not allowed');
  await expect(
    git({ args: ['ls-remote', 'ext::true'], cwd: source, signal, transport: 'file' }),
  ).rejects.toThrow('not allowed');
  await expect(
    git({ args: ['ls-remote', source], cwd: source, signal, transport: 'file' }),
  ).resolves.toBeDefined();
});

test('the kernel’s limits hold for limited processes', async () => {
  const limits = { memoryBytes: 512 * 1024 * 1024, cpuSeconds: 20, fileBytes: 1024 * 1024 };
  const seen = await gitText({ args: throughGit('ulimit -v; ulimit -t'), cwd: place.root, signal, limits });
  expect(seen).toBe('524288\n20');
});

test('says which git there is', async () => {
  expect(await probeGit(signal)).toMatchObject({ supported: true });
});
