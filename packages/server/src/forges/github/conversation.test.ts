import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { gitHubUnderTest, type GitHubUnderTest } from '../../testing/github/world.ts';
import { failingPart } from './checks.ts';

describe('the conversation on GitHub', () => {
  let under: GitHubUnderTest;
  let commit: string;
  const talk = () => under.forge.conversation;
  beforeEach(async () => {
    under = await gitHubUnderTest('app');
    under.github.pageSize = 2;
    commit = await under.pushBranch('berth/x-1', { 'a.txt': 'a' });
    await under.forge.openPullRequest({
      key: 't-1',
      title: 'T',
      body: '',
      branch: 'berth/x-1',
      base: 'main',
      draft: false,
    });
    under.github.state.issues.push({
      number: 7,
      title: 'Broken',
      body: 'It is',
      login: 'rita',
      labels: ['bug'],
    });
  });
  afterEach(async () => {
    await under.cleanUp();
  });
  const said = (over: object): number => {
    const { state } = under.github;
    const id = state.nextId();
    state.comments.push({
      id,
      number: 1,
      login: 'anna',
      type: 'User',
      body: 'x',
      createdAt: state.stamp(),
      ...over,
    });
    return id;
  };

  test('issues and pull requests are told apart, and people from machines', async () => {
    expect(await talk().getIssue(7)).toMatchObject({
      title: 'Broken',
      author: { login: 'rita', isBot: false },
      labels: ['bug'],
      isPullRequest: false,
      state: 'open',
    });
    expect(await talk().getIssue(1)).toMatchObject({ isPullRequest: true, author: { isBot: true } });
    expect(await talk().getIssue(99)).toBeNull();
    expect(await talk().self()).toEqual({ login: 'berth-test[bot]', isBot: true });
  });

  test('everything that was said, oldest first, with places and threads', async () => {
    const { state } = under.github;
    said({ body: 'first' });
    const place = { path: 'a.txt', line: 3, side: 'RIGHT' };
    const thread = said({ body: 'here', place, login: 'ben' });
    said({ body: 'moved away', place: { ...place, line: null, side: 'LEFT' } });
    said({ body: 'and here', place, replyTo: thread });
    state.reviews.push({
      id: 1,
      number: 1,
      login: 'anna',
      body: 'Please change',
      state: 'CHANGES_REQUESTED',
      at: state.stamp(),
    });
    state.reviews.push({ id: 2, number: 1, login: 'anna', body: '', state: 'APPROVED', at: state.stamp() });
    said({ body: 'I am a machine', login: 'other[bot]' });
    const all = await talk().listComments(1);
    expect(
      all.map((one) => [one.body, one.author.isBot, one.place?.line, one.place?.side, one.thread]),
    ).toEqual([
      ['first', false, undefined, undefined, null],
      ['here', false, 3, 'new', String(thread)],
      ['moved away', false, null, 'old', String(thread + 2)],
      ['and here', false, 3, 'new', String(thread)],
      ['Please change', false, undefined, undefined, null],
      ['I am a machine', true, undefined, undefined, null],
    ]);
    expect(new Set(all.map((one) => one.id)).size).toBe(6);
    expect((await talk().listComments(7)).length).toBe(0);
  });

  test('a comment is written once for each key, and changed when it is said again', async () => {
    for (let at = 0; at < 5; at += 1) said({ body: `noise ${at}` });
    const first = await talk().comment(1, { key: 'a', body: 'Working' });
    const [second] = await Promise.all([
      talk().comment(1, { key: 'a', body: 'Done' }),
      talk().comment(1, { key: 'a', body: 'Done' }),
    ]);
    expect(second.id).toBe(first.id);
    expect(second.body).toBe('Done');
    await talk().comment(1, { key: 'b', body: 'Another' });
    const ours = under.github.state.comments.filter((one) => one.login.startsWith('berth'));
    expect(ours).toHaveLength(2);
    expect(
      (await talk().listComments(1))
        .filter((one) => one.author.login.startsWith('berth'))
        .map((one) => one.body),
    ).toEqual(['Done', 'Another']);
  });

  test('a mark that somebody else copied, or that the text itself holds, leads nowhere', async () => {
    const first = await talk().comment(1, { key: 'a', body: 'Working' });
    const marked = under.github.state.comments.at(-1)!.body;
    said({ body: marked, login: 'rita' });
    await talk().comment(1, { key: 'b', body: marked });
    const again = await talk().comment(1, { key: 'a', body: 'Done' });
    expect(again.id).toBe(first.id);
    expect((await talk().listComments(1)).map((one) => one.body)).toEqual(['Done', marked, 'Working']);
  });

  test('a comment whose answer was lost is not written twice', async () => {
    under.github.faults.push({ method: 'post', path: /comments$/, times: 1, kind: { name: 'loses-answer' } });
    await talk().comment(7, { key: 'a', body: 'Hello' });
    expect(under.github.state.comments).toHaveLength(1);
  });

  test('an answer goes into its thread, once', async () => {
    const thread = said({ body: 'here', place: { path: 'a.txt', line: 3, side: 'RIGHT' } });
    const answer = await talk().comment(1, { key: 'a', body: 'Changed', thread: String(thread) });
    expect(answer).toMatchObject({ thread: String(thread), place: { path: 'a.txt' }, body: 'Changed' });
    expect((await talk().comment(1, { key: 'a', body: 'Changed', thread: String(thread) })).id).toBe(
      answer.id,
    );
    await expect(talk().comment(1, { key: 'c', body: 'x', thread: '../1' })).rejects.toMatchObject({
      code: 'FORGE_NOT_FOUND',
    });
  });

  test.each([
    ['anna', 'admin'],
    ['ben', 'write'],
    ['mara', 'write'],
    ['tim', 'triage'],
    ['rita', 'read'],
    ['nobody', 'none'],
    ['../../x', 'none'],
  ])('%s may %s', async (login, permission) => {
    expect(await talk().permissionOf(login)).toBe(permission);
  });

  test('checks of all kinds in one list, without our own word', async () => {
    const { checkRuns, statuses } = under.github.state;
    const run = (
      id: number,
      name: string,
      status: string,
      conclusion: string | null,
      app = 'github-actions',
    ) => checkRuns.push({ id, name, status, conclusion, app });
    run(1, 'build', 'completed', 'success');
    run(2, 'test', 'completed', 'failure');
    run(3, 'slow', 'in_progress', null);
    run(4, 'docs', 'completed', 'skipped', 'other');
    run(5, 'late', 'completed', 'timed_out', 'other');
    await talk().setStatus(commit, { state: 'failed', sentence: 'x'.repeat(200), url: null });
    statuses.push({ commit, context: 'ci/jenkins', state: 'error', description: '' });
    expect((await talk().checksOf(commit)).map((one) => [one.name, one.state, one.log])).toEqual([
      ['build', 'passed', 'job:1'],
      ['test', 'failed', 'job:2'],
      ['slow', 'pending', 'job:3'],
      ['docs', 'skipped', null],
      ['late', 'failed', null],
      ['ci/jenkins', 'failed', null],
    ]);
    expect(statuses[0]).toMatchObject({ context: 'berth', state: 'failure' });
    expect(statuses[0]?.description).toHaveLength(140);
    await expect(talk().checksOf('main')).rejects.toMatchObject({ code: 'FORGE_NOT_FOUND' });
  });

  test('the end of a log comes from another host, which gets no credential', async () => {
    const line = (text: string) => `2026-01-01T00:00:00.0000000Z ${text}\n`;
    const log = `${'x'.repeat(5_000_000)}\n${line('real failure')}${line('##[error]Process failed')}${line('tidy up').repeat(9)}`;
    under.github.state.logs.set(2, log);
    const end = await talk().failedLog('job:2', 1_000);
    expect(end).toContain('real failure\n##[error]Process failed\n');
    expect(end.match(/tidy up/g)).toHaveLength(4);
    expect(Buffer.byteLength(end)).toBeLessThanOrEqual(1_000);
    expect(under.github.elsewhere).toHaveLength(1);
    expect(under.github.elsewhere[0]).not.toHaveProperty('authorization');
    await expect(talk().failedLog('job:3', 1_000)).rejects.toMatchObject({ code: 'FORGE_NOT_FOUND' });
    await expect(talk().failedLog('../x', 1_000)).rejects.toMatchObject({ code: 'FORGE_NOT_FOUND' });
  });

  test('a log is cut between characters, without colours', () => {
    expect(failingPart('\u001b[31mred\u001b[0m', 100)).toBe('red');
    expect(failingPart('ää', 3)).toBe('ä');
  });
});
