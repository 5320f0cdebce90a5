import { afterEach, beforeEach, expect, test } from 'vitest';
import { commitAll, gitIn, makeRepository, TestPlace, writeFiles } from '../testing/git-fixtures.ts';
import { type Base, detachedBranch, detachedCommit, resolveBase } from './base-ref.ts';
import { openProject } from './mirror.ts';

const { signal } = new AbortController();
let place: TestPlace;
let source = '';
beforeEach(() => {
  place = new TestPlace();
  source = makeRepository(place.path('source'), { 'a.txt': 'one\n' });
});
afterEach(() => place.cleanUp());

const baseOf = async (repository: string): Promise<Base> =>
  resolveBase(await openProject({ home: place.path('home'), repository, signal }), null, signal);

test('a detached head that is on a branch belongs to it, the usual one first', async () => {
  const first = gitIn(source, ['rev-parse', 'HEAD']);
  gitIn(source, ['branch', 'a-feature']);
  writeFiles(source, { 'a.txt': 'two\n' });
  commitAll(source, 'two');
  gitIn(source, ['checkout', '-q', '--detach', first]);
  expect(await baseOf(source)).toEqual({ ref: first, commit: first, branch: 'main' });
  gitIn(source, ['branch', '-D', 'main']);
  expect(await baseOf(source)).toMatchObject({ branch: 'a-feature' });
});

test('a detached head that only its origin has on a branch belongs to that one', async () => {
  const clone = place.path('clone');
  gitIn(source, ['clone', '-q', source, clone]);
  gitIn(clone, ['checkout', '-q', '--detach']);
  gitIn(clone, ['branch', '-D', 'main']);
  expect(await baseOf(clone)).toMatchObject({ branch: 'main' });
});

test('a detached head on no branch has none, and a name of its own that leads back to it', async () => {
  gitIn(source, ['checkout', '-q', '--detach']);
  writeFiles(source, { 'a.txt': 'detached\n' });
  const commit = commitAll(source, 'detached');
  expect(await baseOf(source)).toEqual({ ref: commit, commit, branch: null });
  expect(commit.startsWith(detachedCommit(detachedBranch(commit)) ?? '-')).toBe(true);
  expect(detachedCommit('detached-work')).toBeNull();
});
