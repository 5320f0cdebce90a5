import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runIdOf } from './run-id.ts';
import type { Session } from './session.ts';

const directory = realpathSync(mkdtempSync(join(tmpdir(), 'berth-run-id-')));
mkdirSync(join(directory, '.git'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const forge = 'file:///home/me/.berth/forge/p-1.git/pull-requests';
const runs = Array.from({ length: 450 }, (_, place) => ({
  id: `r-${place}`,
  project: place % 2 === 0 ? directory : 'lib',
  pullRequest: place % 10 < 2 ? { number: 500 - place, url: `${forge}/${500 - place}.md` } : null,
}));

/** A server that pages through `runs`, as the real one does. */
const session = {
  client: {
    listRuns: async ({
      project,
      cursor,
      limit = 30,
    }: {
      project?: string;
      cursor?: string;
      limit?: number;
    }) => {
      const all = runs.filter((run) => project === undefined || project === 'p-1' || run.project === project);
      const start = cursor === undefined ? 0 : Number(cursor);
      const next = start + limit < all.length ? String(start + limit) : null;
      return { runs: all.slice(start, start + limit), next };
    },
  },
} as unknown as Session;

const idOf = async (id: string | undefined, more: { last?: boolean; cwd?: string } = {}): Promise<string> =>
  runIdOf(session, { id, cwd: directory, ...more });

test('ids and their beginnings are the server’s to resolve; --last is the newest of all', async () => {
  expect(await idOf('r-abc')).toBe('r-abc');
  expect(await idOf('latest')).toBe('latest');
  expect(await idOf(undefined, { last: true })).toBe('latest');
  expect(await idOf(undefined)).toBe('r-0');
  expect(await idOf(undefined, { cwd: '/' })).toBe('latest');
  await expect(idOf('r-abc', { last: true })).rejects.toMatchObject({ code: 'USAGE' });
});

test('a number is the pull request of the project around, or of the one named', async () => {
  expect(await idOf('#500')).toBe('r-0');
  expect(await idOf('#100')).toBe('r-400');
  expect(await idOf('lib#499')).toBe('r-1');
  await expect(idOf('#499')).rejects.toMatchObject({ code: 'NOT_FOUND', exit: 8 });
  await expect(idOf('#500', { cwd: '/' })).rejects.toMatchObject({ code: 'USAGE' });
});

test('the URL of a pull request is its run', async () => {
  expect(await idOf(`${forge}/489.md`)).toBe('r-11');
  expect(await idOf(`${forge}/489.md#evidence`)).toBe('r-11');
  await expect(idOf('https://host.example/pull/9')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
