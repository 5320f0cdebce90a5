import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ControlPlane } from '../domain/ports/control-plane.ts';
import type { EventView } from '../domain/views.ts';
import { FakeControlPlane } from '../testing/fake-control-plane.ts';
import { openSse, type SseSeen } from '../testing/read-sse.ts';
import { createApi } from './create-api.ts';
import { listenApi } from './listen-api.ts';
import type { ApiOptions } from './options.ts';

let directory: string;
let app: FastifyInstance | null = null;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-stream-'));
});
afterEach(async () => {
  await app?.close();
  rmSync(directory, { recursive: true, force: true });
});

async function serve(plane: ControlPlane, options: ApiOptions = {}): Promise<string> {
  app = createApi(plane, { principal: 'tester', ...options });
  return listenApi(app, { socketPath: join(directory, 'api.sock') });
}

async function create(plane: ControlPlane, text = 'fix it'): Promise<string> {
  const { run } = await plane.createTask({
    repository: '/srv/lib',
    text,
    options: {
      base: null,
      model: null,
      blueprint: null,
      limits: {},
      propose: true,
      cassette: null,
      record: null,
    },
    origin: { kind: 'cli', by: 'tester' },
    idempotencyKey: null,
  });
  return run.id;
}

/** Reads until `enough` says so, then breaks the connection. */
async function read(
  socketPath: string,
  path: string,
  enough: (seen: readonly SseSeen[]) => boolean,
  headers: Record<string, string> = {},
): Promise<SseSeen[]> {
  const { message, seen } = await openSse(socketPath, path, headers);
  const messages: SseSeen[] = [];
  for await (const one of seen) {
    if ('comment' in one) continue;
    messages.push(one);
    if (enough(messages)) break;
  }
  message.destroy();
  return messages;
}

test('settled events carry their seq as id, frames carry none, and the end is said', async () => {
  const plane = new FakeControlPlane({ pace: 0 });
  const socketPath = await serve(plane);
  const id = await create(plane);
  const seen = await read(socketPath, `/api/v1/runs/${id}/stream`, (all) => all.at(-1)?.event === 'end');
  const events = seen.filter((one) => one.event === 'event');
  expect(events.map((one) => Number(one.id))).toEqual(events.map((_, place) => place + 1));
  expect(events.at(-1)?.data).toMatchObject({
    type: 'run.ended',
    title: expect.stringContaining('succeeded') as unknown,
  });
  const frames = seen.filter((one) => one.event === 'frame');
  expect(frames.length).toBeGreaterThan(0);
  expect(frames.every((one) => one.id === null)).toBe(true);
});

test('a reader that breaks off again and again loses and repeats nothing, by header or by address', async () => {
  const plane = new FakeControlPlane({ pace: 0 });
  const socketPath = await serve(plane);
  const id = await create(plane);
  const seqs: number[] = [];
  for (let round = 0, isOver = false; !isOver && round < 200; round += 1) {
    const last = seqs.at(-1) ?? 0;
    const byHeader = round % 2 === 0 && last > 0;
    const seen = await read(
      socketPath,
      `/api/v1/runs/${id}/stream?after=${byHeader ? 0 : last}`,
      (all) => all.at(-1)?.event === 'end' || all.filter((one) => one.event === 'event').length === 3,
      byHeader ? { 'last-event-id': String(last) } : {},
    );
    seqs.push(...seen.filter((one) => one.event === 'event').map((one) => Number(one.id)));
    isOver = seen.at(-1)?.event === 'end';
  }
  const all = await plane.listEvents(id, { afterSeq: 0, limit: 1_000 });
  expect(seqs).toEqual(all.map((event) => event.seq));
});

test('silence is filled with comments', async () => {
  const plane = new FakeControlPlane({ worker: false });
  const socketPath = await serve(plane, { heartbeatMs: 20 });
  const { message, seen } = await openSse(socketPath, `/api/v1/runs/${await create(plane)}/stream`);
  const comments: string[] = [];
  for await (const one of seen) {
    if ('comment' in one) comments.push(one.comment);
    if (comments.length === 3) break;
  }
  message.destroy();
  expect(comments).toEqual(['alive', 'alive', 'alive']);
});

test('a stream of an unknown run, or from a place that is no number, is a problem and no stream', async () => {
  const plane = new FakeControlPlane({ worker: false });
  const socketPath = await serve(plane);
  const id = await create(plane);
  const unknown = await openSse(socketPath, '/api/v1/runs/r-none/stream');
  expect(unknown.message.statusCode).toBe(404);
  const wrong = await openSse(socketPath, `/api/v1/runs/${id}/stream`, { 'last-event-id': 'x' });
  expect(wrong.message.statusCode).toBe(400);
  wrong.message.destroy();
  unknown.message.destroy();
});

test('more streams than the server takes are refused, and room comes back when one ends', async () => {
  const plane = new FakeControlPlane({ worker: false });
  const socketPath = await serve(plane, { maxStreams: 1 });
  const path = `/api/v1/runs/${await create(plane)}/stream`;
  const first = await openSse(socketPath, path);
  const second = await openSse(socketPath, path);
  expect([first.message.statusCode, second.message.statusCode]).toEqual([200, 503]);
  second.message.destroy();
  first.message.destroy();
  await expect
    .poll(async () => {
      const again = await openSse(socketPath, path);
      again.message.destroy();
      return again.message.statusCode;
    })
    .toBe(200);
});

test('a server that closes ends its streams', async () => {
  const plane = new FakeControlPlane({ worker: false });
  const socketPath = await serve(plane);
  const { seen } = await openSse(socketPath, `/api/v1/runs/${await create(plane)}/stream`);
  await seen.next();
  const rest = (async () => {
    for await (const _ of seen) continue;
  })().catch(() => undefined);
  await app?.close();
  await rest;
});

/** Events of 64 KiB and frames of 16 KiB, as fast as they are taken. */
function flood(events: number): { plane: ControlPlane; pulled: () => number } {
  const inner = new FakeControlPlane({ worker: false });
  let pulled = 0;
  const follow = async function* (run: string, afterSeq: number, signal: AbortSignal) {
    for (let seq = afterSeq + 1; seq <= events && !signal.aborted; seq += 1) {
      pulled = seq;
      const event: EventView = {
        schema: 'berth.event/v1',
        run,
        seq,
        at: new Date(0).toISOString(),
        type: 'agent.told',
        step: null,
        importance: 'normal',
        title: 'x',
        data: 'y'.repeat(65_536),
      };
      yield { event };
      for (let n = 0; n < 4; n += 1) {
        yield { frame: { kind: 'text' as const, callId: 'c', text: 'z'.repeat(16_384) } };
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const plane = new Proxy<ControlPlane>(inner, {
    get: (target, name) => {
      if (name === 'follow') return follow;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  return { plane, pulled: () => pulled };
}

test('for a slow reader frames are dropped and said to be, events all arrive, and memory stays bounded', async () => {
  const { plane, pulled } = flood(300);
  const socketPath = await serve(plane);
  const { message, seen } = await openSse(socketPath, `/api/v1/runs/${await create(plane)}/stream`);
  // Not read at all until the server has stopped taking more: then it waits for this reader.
  // Ten looks in a row: on a busy machine nothing moves between two of them, either.
  let before = -1;
  let looks = 0;
  await expect
    .poll(
      () => {
        looks = pulled() === before && before > 0 ? looks + 1 : 0;
        before = pulled();
        return looks;
      },
      { interval: 30 },
    )
    .toBeGreaterThanOrEqual(10);
  expect(pulled()).toBeLessThan(100);
  const ids: number[] = [];
  let frames = 0;
  const dropped: string[] = [];
  for await (const one of seen) {
    if ('comment' in one) dropped.push(one.comment);
    else if (one.event === 'event') ids.push(Number(one.id));
    else if (one.event === 'frame') frames += 1;
    else break;
  }
  message.destroy();
  expect(ids).toEqual(Array.from({ length: 300 }, (_, place) => place + 1));
  expect(frames).toBeLessThan(1_200);
  expect(dropped.some((comment) => comment.endsWith('live frames dropped'))).toBe(true);
});

test('a reader that takes nothing at all is disconnected, so that it holds nothing for ever', async () => {
  const { plane } = flood(300);
  const socketPath = await serve(plane, { stalledReaderMs: 100 });
  const { message } = await openSse(socketPath, `/api/v1/runs/${await create(plane)}/stream`);
  message.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => message.socket.once('close', () => resolve()));
  // Paused: what the kernel holds is all that was taken, until the server gives up and the rest can be drained.
  await expect.poll(async () => (await plane.listRuns({ visible: 'all', limit: 1 })).runs.length).toBe(1);
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      if (app?.server.listening !== true) return;
      app.server.getConnections((_, count) => {
        if (count === 0) {
          clearInterval(timer);
          resolve();
        }
      });
    }, 20);
  });
  message.resume();
  await closed;
});
