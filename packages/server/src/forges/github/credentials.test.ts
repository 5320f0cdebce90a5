import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openProject } from '../../git/mirror.ts';
import { gitHubUnderTest, type GitHubUnderTest } from '../../testing/github/world.ts';

const { signal } = new AbortController();
const request = { key: 't-1', title: 'T', body: 'text', branch: 'berth/x-1', base: 'main', draft: false };

describe('tokens of a GitHub App', () => {
  let under: GitHubUnderTest;
  beforeEach(async () => {
    under = await gitHubUnderTest('app');
  });
  afterEach(async () => {
    await under.cleanUp();
  });
  const minted = () =>
    [...under.github.state.tokens.values()].filter((held) => held.token.startsWith('ghs_'));
  const mints = (): number =>
    under.github.seen.filter((one) => one.path.endsWith('/access_tokens') && one.status === 201).length;

  test('are for one repository and what one purpose needs, and known as secrets before they are used', async () => {
    expect(minted().map((one) => [one.repositories, one.permissions])).toEqual([
      [['web'], { contents: 'read' }],
    ]);
    await under.pushBranch('berth/x-1', { 'a.txt': 'a' });
    await under.forge.openPullRequest(request);
    await under.forge.conversation.checksOf('a'.repeat(40));
    expect(minted().map((one) => one.permissions)).toEqual([
      { contents: 'read' },
      { contents: 'write' },
      { pull_requests: 'write', contents: 'read', issues: 'write' },
      { issues: 'write', pull_requests: 'write', checks: 'read', statuses: 'write', actions: 'read' },
    ]);
    expect(under.learned).toEqual(minted().map((one) => one.token));
  });

  test('are used again until twenty minutes before their end', async () => {
    const first = await under.forge.fetchTarget();
    expect(await under.forge.fetchTarget()).toEqual(first);
    under.passMs(39 * 60_000);
    expect(await under.forge.fetchTarget()).toEqual(first);
    under.passMs(2 * 60_000);
    const [second, third] = await Promise.all([under.forge.fetchTarget(), under.forge.fetchTarget()]);
    expect(second).not.toEqual(first);
    expect(third).toEqual(second);
    expect(mints()).toBe(2);
  });

  test('one that was revoked is minted anew, once', async () => {
    await under.forge.listPullRequests();
    for (const held of minted()) held.endsMs = 0;
    const before = mints();
    expect(await under.forge.listPullRequests()).toEqual([]);
    expect(mints()).toBe(before + 1);
  });

  test('a clock that is wrong by an hour is set right by what GitHub answers', async () => {
    under.passMs(3_600_000);
    await expect(under.forge.fetchTarget()).resolves.toBeDefined();
  });

  test('a permission that is missing is named', async () => {
    under.github.state.granted = { contents: 'read', metadata: 'read' };
    under.passMs(3_600_000);
    await under.forge.pushTarget().catch(() => undefined);
    await expect(under.forge.pushTarget()).rejects.toMatchObject({
      code: 'FORGE_FORBIDDEN',
      message: expect.stringContaining('contents: write') as string,
    });
  });

  test('git gets its token in a header for this host alone: not in the address, not in arguments', async () => {
    const target = await under.forge.pushTarget();
    const [, push] = minted();
    expect(target.url).toBe(`${under.github.url}/acme/web.git`);
    expect(Object.values(target.env).filter((value) => value.includes(push!.token))).toEqual([]);
    expect(target.env['GIT_CONFIG_KEY_0']).toBe(`http.${under.github.url}/.extraHeader`);
    const basic = Buffer.from(`x-access-token:${push!.token}`).toString('base64');
    expect(target.env['GIT_CONFIG_VALUE_0']).toBe(`Authorization: Basic ${basic}`);
    expect(under.github.gitSeen.length).toBeGreaterThan(0);
    expect(under.github.gitSeen.every((one) => one.status === 200)).toBe(true);
  });

  test('a token for fetching cannot push', async () => {
    const { env, url } = await under.forge.fetchTarget();
    const repository = under.github.repository;
    await openProject({ home: under.place.path('home'), repository, target: { url, env }, signal });
    const { push } = await import('../../git/push.ts');
    const commit = under.mirror.head.commit!;
    await expect(
      push(under.mirror, { url, env }, { branch: 'berth/x-9', commit, expected: null, signal }),
    ).rejects.toMatchObject({ code: 'REPO_AUTH_FAILED' });
  });
});
