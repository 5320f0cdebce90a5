import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BerthError } from '../../domain/errors/index.ts';
import type { Fault } from '../../testing/github/test-forge.ts';
import { gitHubUnderTest, type GitHubUnderTest } from '../../testing/github/world.ts';

const request = { key: 't-1', title: 'T', body: 'text', branch: 'berth/x-1', base: 'main', draft: false };

describe('a GitHub in trouble', () => {
  let under: GitHubUnderTest;
  beforeEach(async () => {
    under = await gitHubUnderTest('token', {
      exchangeMs: 3_000,
      maxAnswerBytes: 3_000_000,
    });
    await under.pushBranch('berth/x-1', { 'a.txt': 'a' });
    await under.forge.openPullRequest(request);
    under.sleptMs.length = 0;
    under.github.seen.length = 0;
  });
  afterEach(async () => {
    await under.cleanUp();
  });
  const fault = (over: Partial<Fault> & Pick<Fault, 'kind'>): void =>
    void under.github.faults.push({ path: /\/pulls\/1$/, ...over });
  const answers = (status: number, headers: Record<string, string> = {}, body?: string): Fault['kind'] => ({
    name: 'answers',
    status,
    headers,
    ...(body === undefined ? {} : { body }),
  });

  test.each([500, 502, 503, 504])('%i twice: survived', async (status) => {
    fault({ kind: answers(status), times: 2 });
    expect((await under.forge.getPullRequest(1))?.number).toBe(1);
    expect(under.sleptMs).toEqual([500, 2_000]);
  });

  test('an outage that lasts is said, after a bounded number of tries', async () => {
    fault({ kind: answers(502) });
    await expect(under.forge.getPullRequest(1)).rejects.toMatchObject({ code: 'FORGE_UNREACHABLE' });
    expect(under.github.seen).toHaveLength(4);
  });

  test('an answer that breaks off is asked for again', async () => {
    fault({ kind: { name: 'truncates' }, times: 1 });
    expect((await under.forge.getPullRequest(1))?.title).toBe('T');
  });

  test('a connection that is cut is made again', async () => {
    fault({ kind: { name: 'loses-answer' }, times: 3 });
    expect((await under.forge.getPullRequest(1))?.title).toBe('T');
  });

  test('one that never answers is given up', async () => {
    fault({ kind: { name: 'never-answers' } });
    await expect(under.forge.getPullRequest(1)).rejects.toMatchObject({
      code: 'FORGE_UNREACHABLE',
      message: expect.stringContaining('took too long') as string,
    });
  });

  test('an answer without an end is cut off and not asked for again', async () => {
    fault({ kind: { name: 'floods' } });
    await expect(under.forge.getPullRequest(1)).rejects.toMatchObject({ code: 'FORGE_ANSWER_INVALID' });
    expect(under.github.seen).toHaveLength(1);
  });

  test('JSON of another shape is no answer', async () => {
    fault({ kind: answers(200, {}, '{"number":"one"}') });
    await expect(under.forge.getPullRequest(1)).rejects.toMatchObject({ code: 'FORGE_ANSWER_INVALID' });
  });

  test('a secondary limit is waited for as long as it says', async () => {
    fault({ kind: answers(403, { 'retry-after': '7' }), times: 1 });
    expect((await under.forge.getPullRequest(1))?.number).toBe(1);
    expect(under.sleptMs[0]).toBeGreaterThan(6_000);
    expect(under.sleptMs[0]).toBeLessThanOrEqual(7_000);
  });

  test('a limit longer than is waited for is said with its end, and others do not ask meanwhile', async () => {
    const reset = Math.floor(Date.now() / 1_000) + 1_800;
    const headers = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(reset) };
    fault({ kind: answers(403, headers), times: 1 });
    const until = new Date((reset + 1) * 1_000).toISOString();
    await expect(under.forge.getPullRequest(1)).rejects.toMatchObject({
      code: 'FORGE_RATE_LIMITED',
      details: { until },
    });
    const asked = under.github.seen.length;
    await expect(under.forge.listPullRequests()).rejects.toMatchObject({ code: 'FORGE_RATE_LIMITED' });
    expect(under.github.seen).toHaveLength(asked);
    under.passMs(1_802_000);
    expect(await under.forge.listPullRequests()).toHaveLength(1);
  });

  test('a limit for ever is not waited for for ever', async () => {
    fault({ kind: answers(429, { 'retry-after': '0' }) });
    await expect(under.forge.getPullRequest(1)).rejects.toMatchObject({ code: 'FORGE_RATE_LIMITED' });
    expect(under.github.seen.length).toBeLessThan(70);
  });

  test.each([
    [401, 'FORGE_AUTH_FAILED'],
    [403, 'FORGE_FORBIDDEN'],
    [418, 'FORGE_REFUSED'],
  ])('%i is %s, at once', async (status, code) => {
    fault({ kind: answers(status, {}, '{"message":"No, \\u001b[31mnever"}') });
    const error: unknown = await under.forge.getPullRequest(1).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toContain('never');
    expect((error as Error).message).not.toContain('\u001b');
    expect(under.sleptMs).toEqual([]);
  });

  test('what did not change is not sent again', async () => {
    await under.forge.getPullRequest(1);
    await under.forge.getPullRequest(1);
    expect(under.github.seen.map((one) => one.status)).toEqual([200, 304]);
    under.github.state.pulls[0]!.title = 'Other';
    expect((await under.forge.getPullRequest(1))?.title).toBe('Other');
  });

  test('a redirect to another host is not followed', async () => {
    fault({ kind: answers(302, { location: `${under.github.otherUrl}/api/v3/repos/acme/web/pulls/1` }) });
    await expect(under.forge.getPullRequest(1)).rejects.toMatchObject({ code: 'FORGE_ANSWER_INVALID' });
    expect(under.github.elsewhere).toEqual([]);
  });

  test('a repository that moved on the same host is found', async () => {
    fault({ kind: answers(301, { location: '/api/v3/repos/acme/web/pulls/1' }), times: 1 });
    expect((await under.forge.getPullRequest(1))?.number).toBe(1);
    expect(under.github.seen.map((one) => one.status)).toEqual([301, 200]);
  });

  test('git that is led to another host does not go there', async () => {
    under.github.gitRedirect = under.github.otherUrl;
    await expect(under.pushBranch('berth/x-2', { 'b.txt': 'b' })).rejects.toBeInstanceOf(BerthError);
    expect(under.github.elsewhere).toEqual([]);
  });
});
