import { describe, expect, test } from 'vitest';
import type { Forge, OpenPullRequest } from '../domain/ports/forge.ts';

/** One forge over a repository with a branch `main` that holds a file `shared.txt`. */
export interface ForgeUnderTest {
  readonly forge: Forge;
  /** Pushes a branch made from the present `main` with these files changed; answers its commit. */
  readonly pushBranch: (branch: string, files: Readonly<Record<string, string>>) => Promise<string>;
  /** Text of a file at the head of a branch of the forge, or null. */
  readonly fileAt: (branch: string, path: string) => Promise<string | null>;
  readonly headOf: (branch: string) => Promise<string | null>;
  /** Parents of a commit of the forge. */
  readonly parentsOf: (commit: string) => Promise<readonly string[]>;
  /** Whether a merge that conflicts says in which files; default true. */
  readonly namesConflicts?: boolean;
  readonly cleanUp: () => Promise<void>;
}

const request = (changes: Partial<OpenPullRequest> = {}): OpenPullRequest => ({
  key: 't-1',
  title: 'Fix the date',
  body: '# What\n\nText with `code`, "quotes" and 😀.\n',
  branch: 'berth/fix-1',
  base: 'main',
  draft: false,
  ...changes,
});

/** What every forge promises; runs on the fake and on every adapter. */
export function forgeContract(name: string, makeForge: () => Promise<ForgeUnderTest>): void {
  const on = async (work: (under: ForgeUnderTest) => Promise<void>): Promise<void> => {
    const under = await makeForge();
    try {
      await work(under);
    } finally {
      await under.cleanUp();
    }
  };

  describe(`forge contract: ${name}`, () => {
    test('a pull request is opened, read and listed as it was asked for', () =>
      on(async ({ forge, pushBranch }) => {
        const head = await pushBranch('berth/fix-1', { 'a.txt': 'a\n' });
        const opened = await forge.openPullRequest(request());
        expect(opened).toMatchObject({
          number: 1,
          title: 'Fix the date',
          body: request().body,
          branch: 'berth/fix-1',
          base: 'main',
          head,
          draft: false,
          state: 'open',
          mergedAs: null,
        });
        expect(opened.url).toMatch(/^(https?|file):\/\//);
        expect(await forge.getPullRequest(1)).toEqual(opened);
        expect(await forge.listPullRequests()).toEqual([opened]);
        expect(await forge.getPullRequest(99)).toBeNull();
      }));

    test('the same key answers the same pull request, updated', () =>
      on(async ({ forge, pushBranch }) => {
        await pushBranch('berth/fix-1', { 'a.txt': 'a\n' });
        const first = await forge.openPullRequest(request({ draft: true }));
        const second = await forge.openPullRequest(
          request({ title: 'Better', body: 'Better', draft: false }),
        );
        expect(second).toMatchObject({
          number: first.number,
          title: 'Better',
          body: 'Better',
          draft: false,
          createdAt: first.createdAt,
        });
        expect(await forge.listPullRequests()).toHaveLength(1);
      }));

    test('many at once with one key are one pull request, with several keys several', () =>
      on(async ({ forge, pushBranch }) => {
        await pushBranch('berth/fix-1', { 'a.txt': 'a\n' });
        await pushBranch('berth/fix-2', { 'b.txt': 'b\n' });
        const one = request();
        const two = request({ key: 't-2', branch: 'berth/fix-2' });
        const numbers = await Promise.all(
          [one, two, one, two, one].map(async (each) => (await forge.openPullRequest(each)).number),
        );
        expect(new Set(numbers).size).toBe(2);
        expect(await forge.listPullRequests()).toHaveLength(2);
      }));

    test('a branch that was not pushed and a base that is not there are refused', () =>
      on(async ({ forge, pushBranch }) => {
        await expect(forge.openPullRequest(request())).rejects.toMatchObject({ code: 'CONFLICT' });
        await pushBranch('berth/fix-1', { 'a.txt': 'a\n' });
        await expect(forge.openPullRequest(request({ base: 'nowhere' }))).rejects.toMatchObject({
          code: 'BASE_UNKNOWN',
        });
        expect(await forge.listPullRequests()).toEqual([]);
      }));

    test('merging makes a merge commit on the base branch, once', () =>
      on(async ({ forge, pushBranch, fileAt, headOf, parentsOf }) => {
        const base = await headOf('main');
        const head = await pushBranch('berth/fix-1', { 'a.txt': 'a\n' });
        await forge.openPullRequest(request());
        const merged = await forge.merge(1, { by: 'anna' });
        expect(merged.state).toBe('merged');
        expect(await headOf('main')).toBe(merged.mergedAs);
        expect(await parentsOf(merged.mergedAs!)).toEqual([base, head]);
        expect(await fileAt('main', 'a.txt')).toBe('a\n');
        await expect(forge.merge(1, { by: 'anna' })).rejects.toMatchObject({ code: 'CONFLICT' });
        expect(await headOf('main')).toBe(merged.mergedAs);
        await expect(forge.close(1)).rejects.toMatchObject({ code: 'CONFLICT' });
      }));

    test('a base that moved is merged with, and what conflicts is named and leaves the base alone', () =>
      on(async ({ forge, pushBranch, fileAt, headOf, namesConflicts }) => {
        await pushBranch('berth/fix-1', { 'a.txt': 'a\n' });
        await pushBranch('berth/fix-2', { 'shared.txt': 'two\n' });
        await pushBranch('berth/fix-3', { 'shared.txt': 'three\n' });
        await forge.openPullRequest(request());
        await forge.openPullRequest(request({ key: 't-2', branch: 'berth/fix-2' }));
        await forge.openPullRequest(request({ key: 't-3', branch: 'berth/fix-3' }));
        await forge.merge(2, { by: 'anna' });
        await forge.merge(1, { by: 'anna' });
        expect([await fileAt('main', 'a.txt'), await fileAt('main', 'shared.txt')]).toEqual(['a\n', 'two\n']);
        const before = await headOf('main');
        const error: unknown = await forge.merge(3, { by: 'anna' }).catch((reason: unknown) => reason);
        expect(error).toMatchObject({ code: 'MERGE_CONFLICT' });
        if (namesConflicts !== false) expect((error as Error).message).toContain('shared.txt');
        expect(await headOf('main')).toBe(before);
        expect((await forge.getPullRequest(3))?.state).toBe('open');
      }));

    test('a draft is not merged, a closed one neither, and closing twice is fine', () =>
      on(async ({ forge, pushBranch }) => {
        await pushBranch('berth/fix-1', { 'a.txt': 'a\n' });
        await forge.openPullRequest(request({ draft: true }));
        await expect(forge.merge(1, { by: 'anna' })).rejects.toMatchObject({ code: 'DRAFT_NOT_MERGEABLE' });
        expect((await forge.close(1)).state).toBe('closed');
        expect((await forge.close(1)).state).toBe('closed');
        await expect(forge.merge(1, { by: 'anna' })).rejects.toMatchObject({ code: 'CONFLICT' });
        await expect(forge.merge(7, { by: 'anna' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
        expect((await forge.openPullRequest(request())).state).toBe('closed');
      }));

    test('the head of an open pull request follows its branch', () =>
      on(async ({ forge, pushBranch }) => {
        await pushBranch('berth/fix-1', { 'a.txt': 'a\n' });
        await forge.openPullRequest(request());
        const head = await pushBranch('berth/fix-1', { 'a.txt': 'b\n' });
        expect((await forge.getPullRequest(1))?.head).toBe(head);
      }));
  });
}
