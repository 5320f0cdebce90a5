import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { expect, test } from 'vitest';
import type { EgressRule } from '../domain/egress.ts';
import { decisions, makeDoor } from '../testing/egress-door.ts';
import {
  ask,
  http1Server,
  http2Server,
  http2Through,
  inspecting,
  listening,
  through,
} from '../testing/inspected-door.ts';

const asked: string[] = [];
const resets: number[] = [];
const server = http2Server();
const block = randomBytes(64 * 1024);
server.on('stream', (stream, headers) => {
  asked.push(`${headers[':method']} ${headers[':path']}`);
  stream.on('error', () => undefined);
  stream.on('aborted', () => resets.push(stream.rstCode));
  serve(stream, headers).catch(() => undefined);
});
async function serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
  switch (String(headers[':path'])) {
    // As gRPC does it: the answer begins before the request ends, and the verdict comes after the messages.
    case '/service/Echo':
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'x-end': 'yes' }));
      stream.pipe(stream);
      return;
    case '/trailers-only':
      stream.respond({ ':status': 200, 'grpc-status': '7' }, { endStream: true });
      return;
    case '/sum': {
      const hash = createHash('sha256');
      let trailers: IncomingHttpHeaders = {};
      stream.on('trailers', (got) => {
        trailers = got;
      });
      for await (const chunk of stream) hash.update(chunk as Buffer);
      stream.respond({ ':status': 200 });
      stream.end(`${hash.digest('hex')} ${String(trailers['x-sum'] ?? '')}`);
      return;
    }
    case '/endless':
      stream.respond({ ':status': 200 });
      while (!stream.destroyed) if (!stream.write(block)) await once(stream, 'drain').catch(() => undefined);
      return;
    case '/reset':
      stream.respond({ ':status': 200 });
      stream.destroy(new Error('broken'));
      return;
    case '/many':
      stream.respond({ ':status': 200, 'set-cookie': ['a=1', 'b=2'] }, { endStream: true });
      return;
    default:
      stream.respond({ ':status': 200 });
      stream.end(`hello ${headers[':authority']} ${headers[':path']}`);
  }
}
const port = await listening(server);
const host = `allowed.example:${port}`;
const inspect = (more: object = {}): EgressRule => ({
  host: 'allowed.example',
  ports: [port],
  contents: 'inspect',
  ...more,
});
const door = (more: object = {}) => makeDoor([inspect(more)], inspecting);
const open = (more: object = {}): Promise<ClientHttp2Session> =>
  http2Through(door(more), 'allowed.example', port);

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly trailers: IncomingHttpHeaders;
  readonly reset: number;
}
async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  let body = '';
  stream.on('response', (got) => {
    headers = got;
  });
  stream.on('trailers', (got) => {
    trailers = got;
  });
  stream.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
  stream.on('error', () => undefined);
  await new Promise<void>((resolve) => stream.once('close', resolve));
  return { status: Number(headers[':status']), headers, body, trailers, reset: stream.rstCode };
}
const get = (session: ClientHttp2Session, path: string, more: OutgoingHttpHeaders = {}): Promise<Answer> =>
  answerOf(session.request({ ':path': path, ...more }, { endStream: true }));

test('requests share a connection, each judged by itself', async () => {
  asked.length = 0;
  const session = await open({ methods: ['GET'], paths: ['/open'] });
  const answers = await Promise.all(
    ['/open/1', '/open/2', '/shut', '/open/../shut'].map((path) => get(session, path)),
  );
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 403, 403]);
  expect(answers[0]!.body).toBe(`hello ${host} /open/1`);
  expect(answers[2]!.headers['x-berth-code']).toBe('EGRESS_REFUSED');
  expect((await answerOf(session.request({ ':method': 'POST', ':path': '/open/1' }).end('x'))).status).toBe(
    403,
  );
  expect(asked.sort()).toEqual(['GET /open/1', 'GET /open/2']);
  session.destroy();
  await expect
    .poll(() => decisions)
    .toContainEqual(expect.objectContaining({ allowed: true, contents: 'inspect' }));
});

test('the connection is for one host: other names and forms are refused', async () => {
  asked.length = 0;
  const session = await open();
  const status = async (headers: OutgoingHttpHeaders) =>
    (await answerOf(session.request({ ':path': '/x', ...headers }, { endStream: true }))).status;
  expect(await status({ ':authority': 'other.example' })).toBe(403);
  expect(await status({ ':authority': host, host: 'other.example' })).toBe(400);
  expect(await status({ ':scheme': 'http' })).toBe(400);
  expect(await status({ ':path': '/x#y' })).toBe(400);
  expect(await status({ ':path': '/x', 'x-http-method-override': 'DELETE' })).toBe(400);
  expect(asked).toEqual([]);
  expect(decisions.filter(({ allowed }) => !allowed).length).toBeGreaterThan(3);
  session.destroy();
});

test('gRPC: both directions stream at once, and trailers end the call', async () => {
  const session = await open();
  const call = session.request({ ':method': 'POST', ':path': '/service/Echo', te: 'trailers' });
  const done = answerOf(call);
  call.write('one');
  await once(call, 'data');
  call.write('two');
  await once(call, 'data');
  call.end('three');
  expect(await done).toMatchObject({
    status: 200,
    body: 'onetwothree',
    trailers: { 'grpc-status': '0', 'x-end': 'yes' },
    reset: 0,
  });
  expect(await get(session, '/trailers-only')).toMatchObject({ headers: { 'grpc-status': '7' }, reset: 0 });
  session.destroy();
});

test('bodies of many MiB arrive whole, up with their trailers and down', async () => {
  const session = await open();
  const hash = createHash('sha256');
  const upload = session.request({ ':method': 'POST', ':path': '/sum' }, { waitForTrailers: true });
  upload.on('wantTrailers', () => upload.sendTrailers({ 'x-sum': 'told' }));
  const told = answerOf(upload);
  for (let turn = 0; turn < 128; turn += 1) {
    const chunk = randomBytes(128 * 1024 + turn);
    hash.update(chunk);
    if (!upload.write(chunk)) await once(upload, 'drain');
  }
  upload.end();
  expect((await told).body).toBe(`${hash.digest('hex')} told`);

  const sent = createHash('sha256');
  const came = createHash('sha256');
  const echo = session.request({ ':method': 'POST', ':path': '/service/Echo' });
  const closed = new Promise<void>((resolve) => echo.once('close', resolve));
  let bytes = 0;
  echo.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    came.update(chunk);
  });
  for (let turn = 0; turn < 128; turn += 1) {
    const chunk = randomBytes(128 * 1024 + turn);
    sent.update(chunk);
    if (!echo.write(chunk)) await once(echo, 'drain');
  }
  echo.end();
  await closed;
  expect(bytes).toBeGreaterThan(16 * 1024 * 1024);
  expect(came.digest('hex')).toBe(sent.digest('hex'));
  session.destroy();
});

test('a reset passes in both directions, with its code', async () => {
  resets.length = 0;
  const session = await open();
  expect((await get(session, '/reset')).reset).toBe(constants.NGHTTP2_INTERNAL_ERROR);
  const endless = session.request({ ':path': '/endless' });
  endless.on('error', () => undefined);
  await once(endless, 'data');
  endless.close(constants.NGHTTP2_CANCEL);
  await expect.poll(() => resets).toContain(constants.NGHTTP2_CANCEL);
  expect((await get(session, '/many')).headers['set-cookie']).toEqual(['a=1', 'b=2']);
  session.destroy();
});

test('clients that stop reading make the worker hold little', async () => {
  const session = await open();
  const before = process.memoryUsage();
  const held = (now: NodeJS.MemoryUsage) =>
    now.arrayBuffers + now.external - before.arrayBuffers - before.external;
  const stalled = Array.from({ length: 20 }, () => {
    const stream = session.request({ ':path': '/endless' });
    stream.on('error', () => undefined);
    return stream;
  });
  await Promise.all(stalled.map((stream) => once(stream, 'response')));
  // What flows while the streams are not read settles within a few turns.
  let last = -1;
  await expect
    .poll(
      () => {
        const now = Math.round(held(process.memoryUsage()) / 1024 / 1024);
        const settled = now === last;
        last = now;
        return settled;
      },
      { interval: 200, timeout: 120_000 },
    )
    .toBe(true);
  expect(last).toBeLessThan(64);
  session.destroy();
});

test('the protocol that the server speaks is the one that is agreed on', async () => {
  const old = http1Server((request, response) => response.end(`old ${request.httpVersion}`));
  const oldPort = await listening(old);
  const rules: EgressRule[] = [{ host: 'allowed.example', ports: [oldPort, port], contents: 'inspect' }];
  const both = await through(makeDoor(rules, inspecting), 'allowed.example', oldPort, {
    protocols: ['h2', 'http/1.1'],
  });
  expect(both.alpnProtocol).toBe('http/1.1');
  expect((await ask(both, { host: `allowed.example:${oldPort}` })).body).toBe('old 1.1');
  const modern = await through(makeDoor(rules, inspecting), 'allowed.example', port, {
    protocols: ['http/1.1', 'h2'],
  });
  expect(modern.alpnProtocol).toBe('h2');
  modern.destroy();
  const stubborn = await http2Through(makeDoor(rules, inspecting), 'allowed.example', oldPort);
  const answer = await get(stubborn, '/');
  expect(answer.status).toBe(502);
  stubborn.destroy();
  await expect(
    through(makeDoor(rules, inspecting), 'allowed.example', port, { protocols: ['ftp'] }),
  ).rejects.toThrow(/alert|closed|disconnected/i);
});

test('a connection without a request is ended', async () => {
  const hurried = makeDoor([inspect()], {
    ...inspecting,
    limits: { headerTimeoutMs: 300, idleTimeoutMs: 600 },
  });
  const session = await http2Through(hurried, 'allowed.example', port);
  await once(session, 'close');
  const used = await http2Through(hurried, 'allowed.example', port);
  expect((await get(used, '/x')).status).toBe(200);
  await once(used, 'close');
});

test('a policy that closes resets the streams that it forbids', async () => {
  const way = door();
  const session = await http2Through(way, 'allowed.example', port);
  const call = session.request({ ':method': 'POST', ':path': '/service/Echo' });
  const done = answerOf(call);
  call.write('one');
  await once(call, 'data');
  way.setPolicy({ rules: [inspect({ methods: ['GET'] })] });
  expect((await done).reset).toBe(constants.NGHTTP2_CANCEL);
  expect((await get(session, '/still')).status).toBe(200);
  session.destroy();
});
