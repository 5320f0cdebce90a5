import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { forgeContract, type ForgeUnderTest } from '../../testing/forge-contract.ts';
import { gitIn } from '../../testing/git-fixtures.ts';
import { gitHubUnderTest, type GitHubUnderTest, type SignIn } from '../../testing/github/world.ts';

async function underContract(signIn: SignIn): Promise<ForgeUnderTest> {
  const under = await gitHubUnderTest(signIn);
  // Every page is read, not the first alone.
  under.github.pageSize = 2;
  const git = (args: string[]): string | null => {
    try {
      return gitIn(under.github.state.directory, args);
    } catch {
      return null;
    }
  };
  return {
    forge: under.forge,
    pushBranch: (branch, files) => under.pushBranch(branch, files),
    fileAt: async (branch, path) => {
      const text = git(['cat-file', 'blob', `refs/heads/${branch}:${path}`]);
      return text === null ? null : `${text}\n`;
    },
    headOf: async (branch) => git(['rev-parse', '--verify', '-q', `refs/heads/${branch}`]),
    parentsOf: async (commit) => git(['log', '-1', '--format=%P', commit])?.split(' ') ?? [],
    namesConflicts: false,
    async cleanUp() {
      await under.cleanUp();
    },
  };
}

forgeContract('GitHub with an App', () => underContract('app'));
forgeContract('GitHub with a token', () => underContract('token'));

const request = { key: 't-1', title: 'T', body: 'text', branch: 'berth/x-1', base: 'main', draft: false };

describe('pull requests on GitHub', () => {
  let under: GitHubUnderTest;
  beforeEach(async () => {
    under = await gitHubUnderTest('app');
    await under.pushBranch('berth/x-1', { 'a.txt': 'a' });
  });
  afterEach(async () => {
    await under.cleanUp();
  });
  const writes = (pattern: RegExp): number =>
    under.github.seen.filter((one) => one.method !== 'get' && pattern.test(one.path)).length;

  test('what is as it should be is not written again', async () => {
    await under.forge.openPullRequest(request);
    const before = writes(/pulls|issues|graphql/);
    await under.forge.openPullRequest(request);
    expect(writes(/pulls|issues|graphql/)).toBe(before);
  });

  test('an answer that was lost after the pull request was opened: it is found, not opened twice', async () => {
    under.github.faults.push({ method: 'post', path: /\/pulls$/, times: 1, kind: { name: 'loses-answer' } });
    const opened = await under.forge.openPullRequest(request);
    expect(opened.number).toBe(1);
    expect(under.github.state.pulls).toHaveLength(1);
    expect(writes(/\/pulls$/)).toBe(1);
  });

  test('trouble before it was opened: it is tried again after looking', async () => {
    under.github.faults.push({
      method: 'post',
      path: /\/pulls$/,
      times: 2,
      kind: { name: 'answers', status: 502 },
    });
    expect((await under.forge.openPullRequest(request)).number).toBe(1);
    expect(under.github.state.pulls).toHaveLength(1);
  });

  test("a fork's pull request of the same branch name is another's", async () => {
    under.github.state.pulls.push({
      number: 1,
      branch: request.branch,
      base: 'main',
      body: '',
      draft: false,
      title: 'evil',
      state: 'open',
      mergedAs: null,
      endHead: null,
      fork: true,
      labels: [],
      reviewers: [],
      createdAt: '2026-01-01T00:00:00Z',
    });
    const opened = await under.forge.openPullRequest(request);
    expect(opened).toMatchObject({ number: 2, title: 'T' });
    expect(under.github.state.pulls[0]?.title).toBe('evil');
  });

  test('labels and reviewers: each once, and those GitHub does not know are left out', async () => {
    const asked = { ...request, labels: ['berth', 'bug'], reviewers: ['ben', 'nobody', 'acme/gone', 'anna'] };
    await under.forge.openPullRequest(asked);
    await under.forge.openPullRequest(asked);
    expect(under.github.state.pulls[0]).toMatchObject({
      labels: ['berth', 'bug'],
      reviewers: ['ben', 'anna'],
    });
  });

  test('a ready one becomes a draft before its text says so, and ready after', async () => {
    await under.forge.openPullRequest(request);
    under.github.seen.length = 0;
    await under.forge.openPullRequest({ ...request, title: 'Worse', draft: true });
    expect(under.github.seen.filter((one) => one.method !== 'get').map((one) => one.method)).toEqual([
      'post',
      'patch',
    ]);
    under.github.seen.length = 0;
    const ready = await under.forge.openPullRequest({ ...request, title: 'Better' });
    expect(ready).toMatchObject({ draft: false, title: 'Better' });
    expect(under.github.seen.filter((one) => one.method !== 'get').map((one) => one.method)).toEqual([
      'patch',
      'post',
    ]);
  });

  test('too long a text is cut, not refused', async () => {
    const opened = await under.forge.openPullRequest({
      ...request,
      title: 't'.repeat(300),
      body: 'b'.repeat(70_000),
    });
    expect([opened.title.length, opened.body.length]).toEqual([256, 65_536]);
  });

  test('a branch without a change is refused in words of GitHub', async () => {
    gitIn(under.github.state.directory, ['branch', 'berth/x-2', 'main']);
    await expect(under.forge.openPullRequest({ ...request, branch: 'berth/x-2' })).rejects.toMatchObject({
      code: 'FORGE_REFUSED',
      message: expect.stringContaining('No commits between main and berth/x-2') as string,
    });
  });

  test('merging by the way the repository allows, in the name of who decided', async () => {
    under.github.state.allowedMethods = ['squash'];
    await under.forge.openPullRequest(request);
    const merged = await under.forge.merge(1, { by: 'anna' });
    expect(merged.state).toBe('merged');
    const words = gitIn(under.github.state.directory, ['log', '-1', '--format=%B', merged.mergedAs!]);
    expect(words).toContain('T (#1)');
    expect(words).toContain('Merged with Berth by anna');
  });

  test('a merge whose answer was lost is merged once and said to be', async () => {
    await under.forge.openPullRequest(request);
    under.github.faults.push({ method: 'put', path: /merge$/, times: 1, kind: { name: 'loses-answer' } });
    expect((await under.forge.merge(1, { by: 'anna' })).state).toBe('merged');
    const { directory } = under.github.state;
    expect(gitIn(directory, ['rev-list', '--count', '--merges', 'main'])).toBe('1');
  });

  test('what was pushed after it was looked at is not merged', async () => {
    await under.forge.openPullRequest(request);
    const merging = under.forge.merge(1, { by: 'anna' });
    under.github.faults.push({
      method: 'put',
      path: /merge$/,
      kind: { name: 'answers', status: 409, body: '{"message":"Head branch was modified."}' },
    });
    await expect(merging).rejects.toMatchObject({ code: 'CONFLICT' });
    expect((await under.forge.getPullRequest(1))?.state).toBe('open');
  });
});
