import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Clock } from '../../domain/ports/clock.ts';
import type { Forge } from '../../domain/ports/forge.ts';
import { mergeCommit } from '../../git/merge.ts';
import { openProject } from '../../git/mirror.ts';
import type { Mirror } from '../../git/mirror.ts';
import { push, remoteBranch } from '../../git/push.ts';
import { FakeForge } from '../../testing/fake-forge.ts';
import { forgeContract } from '../../testing/forge-contract.ts';
import type { ForgeUnderTest } from '../../testing/forge-contract.ts';
import { commitAll, gitIn, makeRepository, TestPlace, writeFiles } from '../../testing/git-fixtures.ts';
import { LocalForge } from './local-forge.ts';

const { signal } = new AbortController();
const clock: Clock = {
  nowMs: () => 1_700_000_000_000,
  monotonicMs: () => 0,
  sleep: () => Promise.resolve(),
};

function inspect(
  bare: () => string,
  forge: Forge,
  place: TestPlace,
  mirror: Mirror,
  source: string,
): ForgeUnderTest {
  const answer = (args: string[]): string | null => {
    try {
      return gitIn(bare(), args);
    } catch {
      return null;
    }
  };
  return {
    forge,
    // The agent's part: a commit on the base that the task was pinned to, brought into the mirror and pushed.
    pushBranch: async (branch, files) => {
      const base = gitIn(source, ['rev-parse', 'main']);
      gitIn(source, ['checkout', '-q', '--detach', base]);
      writeFiles(source, files);
      const commit = commitAll(source, branch);
      gitIn(source, ['checkout', '-q', 'main']);
      gitIn(mirror.directory, ['fetch', '-q', source, commit]);
      const target = await forge.pushTarget();
      const expected = await remoteBranch(mirror, target, branch, signal);
      await push(mirror, target, { branch, commit, expected, signal });
      return commit;
    },
    fileAt: async (branch, path) => {
      const text = answer(['cat-file', 'blob', `refs/heads/${branch}:${path}`]);
      return text === null ? null : `${text}\n`;
    },
    headOf: async (branch) => answer(['rev-parse', '--verify', '-q', `refs/heads/${branch}`]),
    parentsOf: async (commit) => answer(['log', '-1', '--format=%P', commit])?.split(' ') ?? [],
    cleanUp: async () => place.cleanUp(),
  };
}

async function prepare() {
  const place = new TestPlace();
  const source = makeRepository(place.path('source'), { 'shared.txt': 'one\n' });
  const mirror = await openProject({ home: place.path('home'), repository: source, signal });
  return { place, source, mirror };
}

async function localUnderTest(): Promise<ForgeUnderTest> {
  const { place, source, mirror } = await prepare();
  const forge = new LocalForge({
    home: place.path('home'),
    projectId: 'p-1',
    mirror: mirror.directory,
    clock,
    signal,
  });
  const under = inspect(() => forge.directory, forge, place, mirror, source);
  await expect(
    forge.openPullRequest({ key: 'x', title: '', body: '', branch: 'none', base: 'main', draft: true }),
  ).rejects.toMatchObject({ code: 'CONFLICT' });
  return under;
}

async function fakeUnderTest(): Promise<ForgeUnderTest> {
  const { place, source, mirror } = await prepare();
  const bare = place.path('fake.git');
  gitIn(place.root, ['clone', '-q', '--bare', source, bare]);
  const head = async (branch: string) => {
    try {
      return gitIn(bare, ['rev-parse', '--verify', '-q', `refs/heads/${branch}`]);
    } catch {
      return null;
    }
  };
  const forge = new FakeForge(
    {
      url: bare,
      head,
      merge: async (branch, base, message, by) => {
        const [onto, from] = [(await head(base))!, (await head(branch))!];
        const commit = await mergeCommit({
          directory: bare,
          base: onto,
          head: from,
          message,
          by,
          atMs: 0,
          signal,
        });
        gitIn(bare, ['update-ref', `refs/heads/${base}`, commit, onto]);
        return commit;
      },
    },
    clock,
  );
  return inspect(() => bare, forge, place, mirror, source);
}

forgeContract('local', localUnderTest);
forgeContract('fake', fakeUnderTest);

describe('the local forge', () => {
  let under: ForgeUnderTest;
  beforeEach(async () => {
    under = await localUnderTest();
  });
  afterEach(() => under.cleanUp());
  const local = () => under.forge as LocalForge;
  const request = { key: 't-1', title: 'T', body: 'text', branch: 'berth/x-1', base: 'main', draft: false };

  test('keeps the text as Markdown beside the repository', async () => {
    await under.pushBranch('berth/x-1', { 'a.txt': 'a' });
    const { url } = await local().openPullRequest(request);
    expect(readFileSync(new URL(url), 'utf8')).toBe('text');
    expect(existsSync(join(local().directory, 'pull-requests/1.json'))).toBe(true);
  });

  test('its base branch follows the source when that moves, and keeps what was merged here when both moved', async () => {
    const source = join(local().directory, '../../../source');
    const home = join(local().directory, '../..');
    await under.pushBranch('berth/x-1', { 'a.txt': 'a' });
    await local().openPullRequest(request);
    writeFiles(source, { 'later.txt': 'l' });
    const moved = commitAll(source, 'later');
    await openProject({ home, repository: source, signal });
    await local().openPullRequest(request);
    expect(await under.headOf('main')).toBe(moved);
    const { mergedAs } = await local().merge(1, { by: 'anna' });
    writeFiles(source, { 'apart.txt': 'p' });
    commitAll(source, 'apart');
    await openProject({ home, repository: source, signal });
    await under.pushBranch('berth/x-2', { 'b.txt': 'b' });
    await local().openPullRequest({ ...request, key: 't-2', branch: 'berth/x-2' });
    expect(await under.headOf('main')).toBe(mergedAs);
    await local().merge(2, { by: 'anna' });
    expect([
      await under.fileAt('main', 'a.txt'),
      await under.fileAt('main', 'b.txt'),
      await under.fileAt('main', 'apart.txt'),
    ]).toEqual(['a\n', 'b\n', 'p\n']);
  });

  test('a crash after the branch moved and before it was written down: merging again finds the merge', async () => {
    await under.pushBranch('berth/x-1', { 'a.txt': 'a' });
    await local().openPullRequest(request);
    const path = join(local().directory, 'pull-requests/1.json');
    const before = readFileSync(path);
    const { mergedAs } = await local().merge(1, { by: 'anna' });
    writeFileSync(path, before);
    expect((await local().merge(1, { by: 'anna' })).mergedAs).toBe(mergedAs);
    expect(await under.headOf('main')).toBe(mergedAs);
  });

  test('a lock of a process that died is taken over', async () => {
    writeFileSync(
      `${local().directory}.lock`,
      JSON.stringify({ pid: 2 ** 22 + 1, started: '1', token: 'dead' }),
    );
    await expect(local().pushTarget()).resolves.toMatchObject({ url: local().directory });
    writeFileSync(
      `${local().directory}.lock`,
      JSON.stringify({ pid: process.pid, started: '1', token: 'reused pid' }),
    );
    await expect(local().pushTarget()).resolves.toBeDefined();
  });

  test('two processes that open pull requests at the same time share one set of numbers', async () => {
    for (let at = 0; at < 4; at += 1) await under.pushBranch(`berth/x-${at}`, { [`f${at}`]: 'x' });
    const home = join(local().directory, '../..');
    const script = `
      const { LocalForge } = await import(process.argv[1]);
      const clock = { nowMs: () => 0, monotonicMs: () => 0, sleep: async () => {} };
      const forge = new LocalForge({ home: process.argv[2], projectId: 'p-1', mirror: null, clock, signal: new AbortController().signal });
      for (const at of [0, 1, 2, 3]) await forge.openPullRequest({ key: 't-' + at, title: 'T', body: '', branch: 'berth/x-' + at, base: 'main', draft: false });
    `;
    const module = new URL('local-forge.ts', import.meta.url).href;
    const run = () =>
      promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, module, home]);
    await Promise.all([run(), run(), run()]);
    const all = await local().listPullRequests();
    expect(all.map((one) => one.number)).toEqual([1, 2, 3, 4]);
    expect(new Set(all.map((one) => one.branch)).size).toBe(4);
  });
});
