import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, connect, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createApi } from '../../server/src/api/create-api.ts';
import { listenApi } from '../../server/src/api/listen-api.ts';
import { FakeControlPlane } from '../../server/src/testing/fake-control-plane.ts';
import { createClient, type BerthClient } from './client.ts';
import { followRun } from './follow-run.ts';

let directory: string;
let app: FastifyInstance | null = null;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-client-'));
});
afterEach(async () => {
  await app?.close();
  rmSync(directory, { recursive: true, force: true });
});

async function serve(plane: FakeControlPlane): Promise<BerthClient> {
  app = createApi(plane, { principal: 'tester' });
  return createClient({ socketPath: await listenApi(app, { socketPath: join(directory, 'api.sock') }) });
}

async function create(client: BerthClient, text = 'fix it'): Promise<string> {
  const { run } = await client.createTask({ repository: '/srv/lib', text }, 'key');
  return run.id;
}

/** A socket that passes bytes on and hangs up after so many of them, again and again. */
async function breakingProxy(
  target: string,
  bytes: number,
): Promise<{ path: string; server: Server; breaks: () => number }> {
  const path = join(directory, 'breaking.sock');
  let breaks = 0;
  const server = createServer((near: Socket) => {
    const far = connect(target);
    let passed = 0;
    near.on('error', () => undefined);
    far.on('error', () => undefined);
    near.pipe(far);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
    far.on('data', (piece) => {
      passed += piece.length;
      if (passed < bytes) near.write(piece);
      else {
        breaks += 1;
        // In the middle of a message.
        near.end(piece.subarray(0, 37), () => near.destroy());
        far.destroy();
      }
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
  return { path, server, breaks: () => breaks };
}

test('over a connection that breaks in the middle of messages, each event arrives once and in order', async () => {
  const plane = new FakeControlPlane({ pace: 0 });
  const client = await serve(plane);
  const id = await create(client);
  const proxy = await breakingProxy(join(directory, 'api.sock'), 9_000);
  const seqs: number[] = [];
  const connection: string[] = [];
  for await (const item of followRun(createClient({ socketPath: proxy.path }), id, {
    signal: new AbortController().signal,
    retryMs: 1,
    maxAttempts: 200,
  })) {
    if ('event' in item) seqs.push(item.event.seq);
    if ('connection' in item) connection.push(item.connection);
  }
  proxy.server.close();
  const all = await plane.listEvents(id, { afterSeq: 0, limit: 1_000 });
  expect(seqs).toEqual(all.map((event) => event.seq));
  expect(proxy.breaks()).toBeGreaterThan(1);
  expect(connection.slice(0, 2)).toEqual(['lost', 'back']);
});

test('it goes on at another server when the first is gone, and the caller is asked for it', async () => {
  const statePath = join(directory, 'state.json');
  const first = new FakeControlPlane({ pace: 0.2, statePath });
  const client = await serve(first);
  const id = await create(client);
  const seqs: number[] = [];
  let asked = 0;
  const followed = followRun(client, id, {
    signal: new AbortController().signal,
    retryMs: 1,
    reconnect: async () => {
      asked += 1;
      if (asked === 1) return serve(new FakeControlPlane({ pace: 0, statePath }));
      return createClient({ socketPath: join(directory, 'api.sock') });
    },
  });
  for await (const item of followed) {
    if (!('event' in item)) continue;
    seqs.push(item.event.seq);
    if (item.event.seq === 10) {
      first.stop();
      await app?.close();
    }
  }
  expect(seqs).toEqual(seqs.map((_, place) => place + 1));
  expect(seqs.length).toBeGreaterThan(40);
  expect(asked).toBe(1);
});

test('when no server answers any more it gives up with SERVER_UNREACHABLE', async () => {
  const client = createClient({ socketPath: join(directory, 'nobody.sock') });
  const followed = followRun(client, 'r-1', {
    signal: new AbortController().signal,
    retryMs: 1,
    maxAttempts: 3,
  });
  await expect(
    (async () => {
      for await (const _ of followed) continue;
    })(),
  ).rejects.toMatchObject({ code: 'SERVER_UNREACHABLE', exit: 10, retryable: true });
});

test('a refusal of the server ends it with the server’s own words', async () => {
  const client = await serve(new FakeControlPlane({ worker: false }));
  const followed = followRun(client, 'r-none', { signal: new AbortController().signal });
  await expect(followed.next()).rejects.toMatchObject({ code: 'NOT_FOUND', exit: 8 });
});

test('aborting ends it quietly, also in the middle of silence', async () => {
  const client = await serve(new FakeControlPlane({ worker: false }));
  const id = await create(client);
  const stop = new AbortController();
  const seen: unknown[] = [];
  for await (const item of followRun(client, id, { signal: stop.signal })) {
    seen.push(item);
    setImmediate(() => stop.abort());
  }
  expect(seen).toHaveLength(1);
});

test('requests speak through the socket: bodies, queries, texts, bytes and problems', async () => {
  const plane = new FakeControlPlane({ pace: 0 });
  const client = await serve(plane);
  const id = await create(client, 'Größe 日本 "x"\n');
  expect((await client.getRun(id)).title).toBe('Größe 日本 "x"');
  for await (const _ of followRun(client, id, { signal: new AbortController().signal })) continue;
  expect(await client.runDiff(id)).toContain('+const offset');
  expect((await client.listRuns({ state: 'succeeded', limit: 1 })).runs).toHaveLength(1);
  const output = await client.output(id, '3:check/test');
  expect(await new Response(output).text()).toContain('1 failed, 11 passed');
  await expect(client.cancel(id)).rejects.toMatchObject({ code: 'CONFLICT', exit: 9 });
  await expect(client.output(id, 'none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
