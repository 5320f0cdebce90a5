import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { TerminalEnd, TerminalPeer, TerminalRequest, Terminals } from '../domain/ports/terminal.ts';
import { FakeControlPlane } from '../testing/fake-control-plane.ts';
import { createApi } from './create-api.ts';
import { listenApi } from './listen-api.ts';

let directory: string;
let app: FastifyInstance;
let runId: string;
let asked: TerminalRequest[];
let done: (string | object)[];
let peer: TerminalPeer;
let end: (how: TerminalEnd) => void;

/** Remembers what it is told; what is typed is shown in capitals. */
const terminals: Terminals = {
  open(request, its) {
    asked.push(request);
    peer = its;
    const ended = Promise.withResolvers<TerminalEnd>();
    end = ended.resolve;
    return {
      type(data) {
        void its.output(Buffer.from(Buffer.from(data).toString().toUpperCase()));
        return data.length < 1_000;
      },
      resize: (columns, rows) => done.push({ columns, rows }),
      leave: () => done.push('left'),
      ended: ended.promise,
      traffic: { bytesIn: 0, bytesOut: 0 },
    };
  },
};

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-terminal-'));
  asked = [];
  done = [];
  const plane = new FakeControlPlane();
  app = createApi(plane, { principal: 'tester', terminals });
  await listenApi(app, { socketPath: join(directory, 'api.sock') });
  const answer = await app.inject({
    method: 'POST',
    url: '/api/v1/tasks',
    headers: { host: 'localhost' },
    payload: { repository: '/srv/lib', text: 'fix it' },
  });
  runId = answer.json<{ run: { id: string } }>().run.id;
});
afterEach(async () => {
  await app.close();
  rmSync(directory, { recursive: true, force: true });
});

function dial(query = '', headers: Record<string, string> = {}) {
  const path = `/api/v1/runs/${runId}/terminal${query}`;
  const socket = new WebSocket(`ws+unix:${join(directory, 'api.sock')}:${path}`, {
    headers: { host: 'localhost', ...headers },
  });
  const received: (string | object)[] = [];
  socket.on('message', (data: Buffer, isBinary) => {
    received.push(isBinary ? data.toString() : (JSON.parse(data.toString()) as object));
  });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  const opened = new Promise<'open' | number | undefined>((resolve) => {
    socket.once('open', () => resolve('open'));
    socket.once('unexpected-response', (_, response) => {
      resolve(response.statusCode);
      socket.terminate();
    });
    socket.on('error', () => undefined);
  });
  return { socket, received, closed, opened };
}

test('bytes go both ways as they are, sizes and notices beside them, and the end is said', async () => {
  const { socket, received, closed, opened } = dial('?columns=100&rows=30');
  expect(await opened).toBe('open');
  socket.send(Buffer.from('ls\r'));
  await expect.poll(() => received).toEqual(['LS\r']);
  expect(asked).toEqual([{ runId, columns: 100, rows: 30, by: 'tester' }]);
  socket.send(JSON.stringify({ type: 'resize', columns: 120, rows: 40 }));
  await expect.poll(() => done).toEqual([{ columns: 120, rows: 40 }]);
  peer.notice('It changes hands.');
  end({ kind: 'exit', exitCode: 3 });
  expect(await closed).toBe(1000);
  expect(received.slice(1)).toEqual([
    { type: 'notice', text: 'It changes hands.' },
    { type: 'exit', exitCode: 3 },
  ]);
});

test('whoever goes away leaves the terminal', async () => {
  const { socket, opened } = dial();
  await opened;
  socket.close();
  await expect.poll(() => done).toEqual(['left']);
});

test('what is not understood, or too much, ends the connection', async () => {
  for (const [message, code] of [
    ['{"type":"resize","columns":0,"rows":1}', 1007],
    ['no JSON', 1007],
    [Buffer.alloc(2_000), 1008],
    [Buffer.alloc(70_000), 1009],
  ] as const) {
    const { socket, closed, opened } = dial();
    await opened;
    socket.send(message);
    expect(await closed).toBe(code);
  }
});

test('a page of another site is refused before anything is opened', async () => {
  expect(await dial('', { origin: 'https://evil.example' }).opened).toBe(403);
  expect(await dial('?columns=0').opened).toBe(400);
  expect(asked).toEqual([]);
});

test('when the server stops, the terminal is told to come again', async () => {
  const { opened, closed } = dial();
  await opened;
  const closing = app.close();
  end({ kind: 'exit', exitCode: null });
  expect([1000, 1001, 1005, 1006, 1012]).toContain(await closed);
  await closing;
});
