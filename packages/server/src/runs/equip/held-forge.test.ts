import { expect, test } from 'vitest';
import { BerthError } from '../../domain/errors/index.ts';
import { FakeForge } from '../../testing/fake-forge.ts';
import { testClock } from '../../testing/test-clock.ts';
import { heldForge } from './index.ts';

test('a worker whose lease ran out opens no pull request', async () => {
  const repository = {
    url: '/nowhere',
    head: () => Promise.resolve('c'.repeat(40)),
    merge: () => Promise.reject(new Error('not asked for')),
  };
  const inner = new FakeForge(repository, testClock);
  let isHeld = true;
  const forge = heldForge(inner, () => {
    if (!isHeld) throw new BerthError('OWNERSHIP_LOST');
  });
  // What reproduces a change is fetched from where the forge says, also through this one.
  expect(forge.fetchUrl).toBe('/srv/fake.git');
  const request = { key: 't-1', title: 'T', body: '', branch: 'berth/t', base: 'main', draft: false };
  expect((await forge.openPullRequest(request)).number).toBe(1);
  isHeld = false;
  await expect(forge.openPullRequest(request)).rejects.toMatchObject({ code: 'OWNERSHIP_LOST' });
  expect(inner.calls.filter((call) => call === 'openPullRequest')).toHaveLength(1);
});
