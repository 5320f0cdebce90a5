import { afterEach, beforeEach, expect, test } from 'vitest';
import { commitAll, gitIn, makeRepository, TestPlace, writeFiles } from '../testing/git-fixtures.ts';
import { openProject } from './mirror.ts';
import type { Mirror } from './mirror.ts';
import { push, remoteBranch } from './push.ts';

const { signal } = new AbortController();
let place: TestPlace;
let mirror: Mirror;
let commits: string[];
const target = () => ({ url: place.path('target.git'), env: {} });

beforeEach(async () => {
  place = new TestPlace();
  const source = makeRepository(place.path('source'), { 'a.txt': 'one\n' });
  gitIn(place.root, ['init', '-q', '--bare', 'target.git']);
  const first = gitIn(source, ['rev-parse', 'HEAD']);
  commits = [first];
  for (const name of ['x', 'y']) {
    gitIn(source, ['checkout', '-q', '-b', name, first]);
    writeFiles(source, { [`${name}.txt`]: name });
    commits.push(commitAll(source, name));
  }
  mirror = await openProject({ home: place.path('home'), repository: source, signal });
});
afterEach(() => place.cleanUp());

const send = async (commit: string, expected: string | null) =>
  push(mirror, target(), { branch: 'berth/x-1', commit, expected, signal });

test('pushes a new branch, says so when it is there already, and moves it from where it was left', async () => {
  expect(await send(commits[1]!, null)).toBe('pushed');
  expect(await send(commits[1]!, null)).toBe('already');
  expect(await send(commits[2]!, commits[1]!)).toBe('pushed');
  expect(await remoteBranch(mirror, target(), 'berth/x-1', signal)).toBe(commits[2]);
});

test('a branch that somebody else made, moved or removed is left alone', async () => {
  gitIn(mirror.directory, ['push', '-q', place.path('target.git'), `${commits[2]!}:refs/heads/berth/x-1`]);
  await expect(send(commits[1]!, null)).rejects.toMatchObject({ code: 'PUSH_REJECTED' });
  await expect(send(commits[1]!, commits[0]!)).rejects.toMatchObject({ code: 'PUSH_REJECTED' });
  expect(await remoteBranch(mirror, target(), 'berth/x-1', signal)).toBe(commits[2]);
  gitIn(place.path('target.git'), ['update-ref', '-d', 'refs/heads/berth/x-1']);
  await expect(send(commits[1]!, commits[2]!)).rejects.toMatchObject({ code: 'PUSH_REJECTED' });
});

test('of two different pushes at once exactly one wins', async () => {
  const results = await Promise.allSettled([send(commits[1]!, null), send(commits[2]!, null)]);
  expect(results.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(results.find((result) => result.status === 'rejected')).toMatchObject({
    reason: { code: 'PUSH_REJECTED' },
  });
});

test('the same push twice at once is fine', async () => {
  const results = await Promise.all([send(commits[1]!, null), send(commits[1]!, null)]);
  expect(results).toContain('pushed');
});

test('a refusal of the target and a target that is not there have codes', async () => {
  gitIn(place.path('target.git'), ['config', 'receive.denyNonFastForwards', 'true']);
  await send(commits[1]!, null);
  await expect(send(commits[2]!, commits[1]!)).rejects.toMatchObject({ code: 'PUSH_REJECTED' });
  const away = push(
    mirror,
    { url: place.path('nowhere.git'), env: {} },
    { branch: 'b', commit: commits[1]!, expected: null, signal },
  );
  await expect(away).rejects.toMatchObject({ code: expect.stringMatching(/^REPO_NOT/) as string });
  for (const branch of ['-x', 'a..b', 'a b', 'refs/heads/', '', 'a:b', '+x']) {
    await expect(
      push(mirror, target(), { branch, commit: commits[1]!, expected: null, signal }),
    ).rejects.toMatchObject({ code: 'PUSH_REJECTED' });
  }
});
