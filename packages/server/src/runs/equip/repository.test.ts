import { rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { gitIn, makeRepository, TestPlace } from '../../testing/git-fixtures.ts';
import { runRepository } from './repository.ts';

const { signal } = new AbortController();
let place: TestPlace;
beforeEach(() => {
  place = new TestPlace();
});
afterEach(() => place.cleanUp());

test('a run that knows its base goes on when its source is gone; one that does not says so', async () => {
  const source = place.path('source');
  makeRepository(source, { 'a.txt': 'kept\n' });
  const commit = gitIn(source, ['rev-parse', 'HEAD']);
  const open = (isPinned: boolean) => runRepository(place.path('home'), source, signal, () => isPinned);
  await open(false).mirror();
  rmSync(source, { recursive: true });
  expect(await open(true).text(commit, 'a.txt')).toBe('kept\n');
  await expect(open(false).mirror()).rejects.toMatchObject({ code: 'REPO_NOT_FOUND' });
  await expect(
    runRepository(place.path('home'), place.path('never'), signal, () => true).mirror(),
  ).rejects.toMatchObject({ code: 'REPO_NOT_FOUND' });
});
