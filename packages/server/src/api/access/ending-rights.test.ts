import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { TerminalEnd, Terminals } from '../../domain/ports/terminal.ts';
import { accessWorld, type AccessWorld } from '../../testing/access-world.ts';
import { testDatabase } from '../../testing/database.ts';
import { ownedRun } from '../../testing/long-run.ts';
import { note } from '../../testing/project-run.ts';
import { openSse, type SseSeen } from '../../testing/read-sse.ts';
import type { RunWriter } from '../../testing/run-writer.ts';
import { listenApi } from '../listen-api.ts';

/** Longest that what was opened may outlive the right to it; the promise is "at once", a busy machine needs more. */
const boundMs = 10_000;

const database = testDatabase();
const ann = { id: 'ann@example.org', projects: { web: 'member' } };
const bob = { id: 'bob@example.org', projects: { web: 'maintainer', other: 'viewer' } };
const configuration = {
  projects: [
    { name: 'web', repository: '/srv/web.git' },
    { name: 'other', repository: '/srv/other.git' },
  ],
  people: [ann, bob],
};
let directory: string;
let world: AccessWorld;
let run: { runId: string; writer: RunWriter };
let terminalsLeft: number;
let secret: string;
let tokenId: string;

const terminals: Terminals = {
  open() {
    const ended = Promise.withResolvers<TerminalEnd>();
    return {
      type: () => true,
      resize: () => undefined,
      leave: () => {
        terminalsLeft += 1;
        ended.resolve({ kind: 'exit', exitCode: null });
      },
      ended: ended.promise,
      traffic: { bytesIn: 0, bytesOut: 0 },
    };
  },
};

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-rights-'));
  terminalsLeft = 0;
  await ownedRun(database.db, { repository: '/srv/other.git' });
  run = await ownedRun(database.db, { repository: '/srv/web.git' });
  // The net beneath is out of the way: what is seen here is the announcement itself.
  world = accessWorld(database.db, configuration, { terminals, recheckMs: 600_000 });
  const made = await world.tokens.create(await world.person(bob.id), {
    purpose: 'test',
    projects: null,
    permissions: null,
    days: 1,
    serviceAccount: null,
  });
  ({ secret } = made);
  tokenId = made.token.id;
  await listenApi(world.app, { socketPath: join(directory, 'api.sock') });
});
afterEach(async () => {
  await world.close();
  rmSync(directory, { recursive: true, force: true });
});

const person = (id: string) => ({ 'x-test-person': id });
const token = () => ({ authorization: `Bearer ${secret}` });

/** A stream from its first message on; `over` once the server ended it. */
async function stream(path: string, headers: Record<string, string>) {
  const { message, seen } = await openSse(join(directory, 'api.sock'), `/api/v1${path}`, headers);
  const messages: SseSeen[] = [];
  const over = (async () => {
    for await (const one of seen) if (!('comment' in one)) messages.push(one);
  })().catch(() => undefined);
  expect(message.statusCode).toBe(200);
  await expect.poll(() => messages.some((one) => one.event === 'event')).toBe(true);
  return { messages, over };
}

function terminal(headers: Record<string, string>) {
  const url = `ws+unix:${join(directory, 'api.sock')}:/api/v1/runs/${run.runId}/terminal`;
  const socket = new WebSocket(url, { headers: { host: 'localhost', ...headers } });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  const opened = new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  return { opened, closed };
}

const within = async <Result>(what: Promise<Result>): Promise<Result> => {
  const late = AbortSignal.timeout(boundMs);
  return Promise.race([
    what,
    new Promise<never>((_, reject) => {
      late.addEventListener('abort', () => reject(new Error('it outlived the right to it')), { once: true });
    }),
  ]);
};

const ends: readonly [string, () => Record<string, string>, () => Promise<void> | void][] = [
  [
    'a role is taken away',
    () => person(bob.id),
    () => world.config.change({ ...configuration, people: [ann, { ...bob, projects: { other: 'viewer' } }] }),
  ],
  [
    'a person is disabled',
    () => person(bob.id),
    () => world.config.change({ ...configuration, people: [ann, { ...bob, disabled: true }] }),
  ],
  [
    'a person is gone from the configuration',
    () => person(bob.id),
    () => world.config.change({ ...configuration, people: [ann] }),
  ],
  [
    'the project of the name becomes another repository',
    () => person(bob.id),
    () =>
      world.config.change({
        ...configuration,
        projects: [
          { name: 'web', repository: '/srv/elsewhere.git' },
          { name: 'other', repository: '/srv/other.git' },
        ],
      }),
  ],
  [
    'its token is revoked',
    token,
    async () => void (await world.tokens.revoke(await world.person(bob.id), tokenId)),
  ],
  [
    'the owner of its token is disabled',
    token,
    () => world.config.change({ ...configuration, people: [ann, { ...bob, disabled: true }] }),
  ],
];

test.each(ends)('what is open ends when %s, and nothing of the run is told any more', async (_, who, end) => {
  const streams = await Promise.all([
    stream(`/runs/${run.runId}/stream`, who()),
    stream(`/stream?runs=${run.runId}&lists=1&frames=1`, who()),
  ]);
  const shell = terminal(who());
  await shell.opened;
  await end();
  // As far as the log was when the right ended.
  const { seq } = run.writer.head;
  await run.writer.append([note('a secret told afterwards')]);
  for (const { over, messages } of streams) {
    await within(over);
    const seqs = messages
      .filter((one) => one.event === 'event')
      .map((one) => (one.data as { seq: number }).seq);
    expect(Math.max(...seqs)).toBeLessThanOrEqual(seq);
    expect(JSON.stringify(messages)).not.toContain('a secret told afterwards');
  }
  expect(await within(shell.closed)).toBe(1008);
  expect(terminalsLeft).toBeGreaterThan(0);
  // And whoever comes back is not let in again.
  for (const path of [`/runs/${run.runId}/stream`, `/stream?runs=${run.runId}`]) {
    const { message } = await openSse(join(directory, 'api.sock'), `/api/v1${path}`, who());
    expect([401, 403, 404]).toContain(message.statusCode);
    message.destroy();
  }
});

test('a foreign run in the stream of all answers as one that is not there, and its rows are left out', async () => {
  const foreign = await ownedRun(database.db, { repository: '/srv/vault.git' });
  const answers = await Promise.all(
    [foreign.runId, 'r-zzzzzzzzzzzzzzzz'].map(async (id) => {
      const answer = await world.app.inject({
        url: `/api/v1/stream?runs=${run.runId},${id}`,
        headers: { host: 'localhost', ...person(bob.id) },
      });
      return `${answer.statusCode} ${answer.body.replaceAll(id, 'ID').replaceAll(/req_[0-9a-f-]+/g, 'REQ')}`;
    }),
  );
  expect(answers[0]).toMatch(/^404/);
  expect(answers[0]).toBe(answers[1]);
  const { messages } = await stream(`/stream?runs=${run.runId}&lists=1`, person(bob.id));
  await foreign.writer.append([note('theirs')]);
  await run.writer.append([note('ours')]);
  await expect.poll(() => messages.some((one) => JSON.stringify(one).includes('ours'))).toBe(true);
  await expect.poll(() => messages.some((one) => one.event === 'run')).toBe(true);
  expect(JSON.stringify(messages)).not.toContain(foreign.runId);
});

test('a role that stays keeps nothing closed for good: who may still look connects again', async () => {
  const { over } = await stream(`/runs/${run.runId}/stream`, person(ann.id));
  world.config.change({ ...configuration, people: [ann] });
  await within(over);
  await stream(`/runs/${run.runId}/stream`, person(ann.id));
});
