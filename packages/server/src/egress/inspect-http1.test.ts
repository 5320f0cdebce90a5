import { createHash, randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import type { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { decisions, makeDoor } from '../testing/egress-door.ts';
import { readAll, readUntil } from '../testing/egress-world.ts';
import { ask, http1Server, inspecting, listening, through } from '../testing/inspected-door.ts';
import type { EgressRule } from '../domain/egress.ts';

const asked: string[] = [];
const server = http1Server((request, response) => {
  asked.push(`${request.method} ${request.url}`);
  if (request.url === '/continue') {
    request.resume();
    request.on('end', () => response.end('continued'));
    return;
  }
  if (request.url === '/echo') return void request.pipe(response);
  if (request.url === '/away')
    return void response.writeHead(302, { location: 'https://other.example/' }).end();
  if (request.url === '/trailers') {
    response.writeHead(200, { trailer: 'x-sum' });
    response.write('body');
    response.addTrailers({ 'x-sum': '42' });
    return void response.end();
  }
  response.end(`hello ${request.headers.host} ${request.url}`);
});
server.on('upgrade', (request, socket: Duplex) => {
  asked.push(`UPGRADE ${request.url}`);
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
  socket.on('data', (chunk: Buffer) => socket.write(`echo ${chunk.toString()}`));
  socket.on('error', () => {});
});
const port = await listening(server);
const inspect = (more: object = {}): EgressRule => ({
  host: 'allowed.example',
  ports: [port],
  contents: 'inspect',
  ...more,
});
const host = `allowed.example:${port}`;
const door = (more: object = {}) => makeDoor([inspect(more)], inspecting);

test('requests pass through TLS that ends at the worker, and count as one connection', async () => {
  const socket = await through(door(), 'allowed.example', port);
  expect(socket.getPeerCertificate().issuer.CN).toMatch(/^Berth sandbox /);
  const answer = await ask(socket, { host, path: '/a?b=c' });
  expect(answer).toMatchObject({ status: 200, body: `hello ${host} /a?b=c` });
  await expect
    .poll(() => decisions)
    .toMatchObject([{ host: 'allowed.example', port, allowed: true, contents: 'inspect' }]);
  expect(decisions[0]!.bytesDown).toBeGreaterThan(100);
});

test('a connection is kept for one request after the other, also when they are sent at once', async () => {
  const socket = await through(door(), 'allowed.example', port);
  const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;
  socket.write(get('/one') + get('/two'));
  await readUntil(socket, `${host} /two`);
  socket.write(get('/three', 'Connection: close\r\n'));
  expect(await readAll(socket)).toContain('/three');
});

test('requests of one connection share one connection to the server', async () => {
  const ports = new Set<number | undefined>();
  const counting = http1Server((request, response) => {
    ports.add(request.socket.remotePort);
    response.end(`turn ${request.url}`);
  });
  const at = await listening(counting);
  const way = makeDoor([{ host: 'allowed.example', ports: [at], contents: 'inspect' }], inspecting);
  const socket = await through(way, 'allowed.example', at);
  for (const path of ['/1', '/2', '/3']) {
    socket.write(`GET ${path} HTTP/1.1\r\nHost: allowed.example:${at}\r\n\r\n`);
    await readUntil(socket, `turn ${path}`);
  }
  socket.destroy();
  expect(ports.size).toBe(1);
});

test('methods and paths beyond the rule are refused one by one, and the server never sees them', async () => {
  asked.length = 0;
  const limited = door({ methods: ['GET'], paths: ['/open'] });
  const one = async (method: string, path: string) =>
    ask(await through(limited, 'allowed.example', port), { host, method, path });
  expect((await one('GET', '/open/x')).status).toBe(200);
  const refused = await one('POST', '/open/x');
  expect(refused).toMatchObject({ status: 403, headers: { 'x-berth-code': 'EGRESS_REFUSED' } });
  expect(refused.body).toContain('the method POST is not allowed');
  expect((await one('GET', '/shut')).status).toBe(403);
  expect((await one('GET', '/open/../shut')).status).toBe(403);
  expect((await one('GET', '/open/%2e%2e/shut')).status).toBe(403);
  expect((await one('TRACE', '/open/x')).status).toBe(403);
  expect(asked).toEqual(['GET /open/x']);
  expect(decisions.filter(({ allowed }) => !allowed).length).toBeGreaterThan(2);
});

test('a body that asks first is sent after the server agreed', async () => {
  const socket = await through(door(), 'allowed.example', port);
  socket.write(
    `PUT /continue HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n`,
  );
  expect(await readUntil(socket, '\r\n\r\n')).toContain(' 100 ');
  socket.write('body');
  expect(await readUntil(socket, 'continued')).toContain(' 200 ');
});

test('a body that asks first and is refused costs the connection', async () => {
  const socket = await through(door({ methods: ['GET'] }), 'allowed.example', port);
  socket.write(
    `PUT /continue HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n`,
  );
  expect(await readAll(socket)).toMatch(/^HTTP\/1.1 403 [^]*[Cc]onnection: close/);
});

test('chunked bodies of many MiB arrive whole in both directions', async () => {
  const socket = await through(door(), 'allowed.example', port);
  const [sent, came] = [createHash('sha256'), createHash('sha256')];
  const request = httpRequest({
    createConnection: () => socket,
    method: 'POST',
    path: '/echo',
    headers: { host, 'transfer-encoding': 'chunked' },
  });
  const answered = new Promise<number>((resolve, reject) => {
    request.once('error', reject);
    request.once('response', (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        came.update(chunk);
      });
      response.once('end', () => resolve(bytes));
      response.once('error', reject);
    });
  });
  for (let turn = 0; turn < 64; turn += 1) {
    const chunk = randomBytes(256 * 1024 + turn * 7);
    sent.update(chunk);
    if (!request.write(chunk)) await new Promise((resolve) => request.once('drain', resolve));
  }
  request.end();
  expect(await answered).toBeGreaterThan(16 * 1024 * 1024);
  expect(came.digest('hex')).toBe(sent.digest('hex'));
});

test('trailers come through, and a redirect is handed back', async () => {
  const socket = await through(door(), 'allowed.example', port);
  socket.write(`GET /trailers HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  expect(await readUntil(socket, 'x-sum: 42\r\n\r\n')).toContain('body');
  socket.write(`GET /away HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  expect(await readAll(socket)).toMatch(/ 302 [^]*location: https:\/\/other\.example\//);
});

test('a WebSocket opens where nothing limits method and path', async () => {
  const hello = `GET /ws HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`;
  const socket = await through(door(), 'allowed.example', port);
  socket.write(hello);
  expect(await readUntil(socket, '\r\n\r\n')).toContain(' 101 ');
  socket.write('ping');
  expect(await readUntil(socket, 'echo ping')).toBe('echo ping');
  socket.destroy();
  const limited = await through(door({ paths: ['/ws'] }), 'allowed.example', port);
  limited.write(hello);
  expect(await readAll(limited)).toMatch(/^HTTP\/1.1 403 [^]*upgrade cannot be judged/);
  const foreign = await through(door(), 'allowed.example', port);
  foreign.write(hello.replace(`Host: ${host}`, 'Host: other.example'));
  expect(await readAll(foreign)).toMatch(/^HTTP\/1.1 403 /);
});

test.each<readonly [string, string]>([
  ['another host', 'GET / HTTP/1.1\r\nHost: other.example\r\n\r\n'],
  ['two hosts', `GET / HTTP/1.1\r\nHost: HOST\r\nHost: other.example\r\n\r\n`],
  ['no host', 'GET / HTTP/1.1\r\nX: y\r\n\r\n'],
  ['absolute form', 'GET https://allowed.example/ HTTP/1.1\r\nHost: HOST\r\n\r\n'],
  ['absolute form of another', 'GET http://other.example/ HTTP/1.1\r\nHost: HOST\r\n\r\n'],
  ['authority form', 'CONNECT other.example:443 HTTP/1.1\r\nHost: HOST\r\n\r\n'],
  ['asterisk form', 'OPTIONS * HTTP/1.1\r\nHost: HOST\r\n\r\n'],
  [
    'length and chunks',
    'POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['two lengths', 'POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd'],
  [
    'the same length twice',
    'POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc',
  ],
  ['a list of lengths', 'POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3, 3\r\n\r\nabc'],
  ['a signed length', 'POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: +3\r\n\r\nabc'],
  ['an unknown coding', 'POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'],
  [
    'two codings',
    'POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['a folded line', 'GET / HTTP/1.1\r\nHost: HOST\r\nX: a\r\n Transfer-Encoding: chunked\r\n\r\n'],
  ['a space before the colon', 'POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length : 3\r\n\r\nabc'],
  ['a bare line feed', 'GET / HTTP/1.1\nHost: HOST\n\n'],
  ['a bare carriage return', 'GET / HTTP/1.1\r\nHost: HOST\r\nX: a\rContent-Length: 3\r\n\r\n'],
  ['a null byte', 'GET / HTTP/1.1\r\nHost: HOST\r\nX: a\0b\r\n\r\n'],
  ['an underscore for a hyphen', 'POST / HTTP/1.1\r\nHost: HOST\r\nContent_Length: 3\r\n\r\n'],
  [
    'a dropped length',
    'POST / HTTP/1.1\r\nHost: HOST\r\nConnection: content-length\r\nContent-Length: 3\r\n\r\nabc',
  ],
  [
    'another method in a header',
    'POST / HTTP/1.1\r\nHost: HOST\r\nX-HTTP-Method-Override: DELETE\r\nContent-Length: 0\r\n\r\n',
  ],
  ['another path in a header', 'GET / HTTP/1.1\r\nHost: HOST\r\nX-Original-URL: /shut\r\n\r\n'],
  ['an older version', 'GET / HTTP/1.0\r\nHost: HOST\r\n\r\n'],
  ['no version', 'GET /\r\n\r\n'],
  ['a switch to HTTP/2', 'GET / HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'],
  ['a fragment', 'GET /a#b HTTP/1.1\r\nHost: HOST\r\n\r\n'],
])('smuggling: a request with %s is refused and nothing of it goes out', async (_name, text) => {
  asked.length = 0;
  const socket = await through(door(), 'allowed.example', port);
  const victim = `GET /victim HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  socket.write(text.replaceAll('HOST', host) + victim);
  expect(await readAll(socket)).not.toMatch(/^HTTP\/1.1 2/);
  expect(asked).toEqual([]);
  expect(decisions.some(({ allowed }) => !allowed)).toBe(true);
});

test('a body on a GET is not let through where a POST would not be', async () => {
  asked.length = 0;
  const inner = 'POST /hidden HTTP/1.1\r\nHost: x\r\n\r\n';
  const text = `GET / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`;
  const socket = await through(door({ methods: ['GET', 'HEAD'] }), 'allowed.example', port);
  socket.write(text);
  expect(await readAll(socket)).toMatch(/^HTTP\/1.1 403 [^]*can hold another one/);
  expect(asked).toEqual([]);
});

test('a policy that closes ends what is under way', async () => {
  const open = door();
  const socket = await through(open, 'allowed.example', port);
  socket.write(`POST /echo HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`);
  await readUntil(socket, 'hello');
  open.setPolicy({ rules: [inspect({ methods: ['GET'] })] });
  await readAll(socket);
  socket.write('5\r\nagain\r\n');
  await expect.poll(() => socket.destroyed).toBe(true);
});

test('slow senders and silent connections are ended', async () => {
  const hurried = makeDoor([inspect()], {
    ...inspecting,
    limits: { headerTimeoutMs: 300, idleTimeoutMs: 400 },
  });
  const silent = await through(hurried, 'allowed.example', port);
  expect(await readAll(silent)).toBe('');
  const slow = await through(hurried, 'allowed.example', port);
  slow.write('GET / HTTP/1.1\r\nHos');
  expect(await readAll(slow)).toBe('');
  const stuck = await through(hurried, 'allowed.example', port);
  stuck.write(`POST /echo HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 100\r\n\r\nabc`);
  await readAll(stuck);
  const long = await through(hurried, 'allowed.example', port);
  long.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nX: ${'a'.repeat(40_000)}\r\n\r\n`);
  expect(await readAll(long)).toContain(' 431 ');
});
