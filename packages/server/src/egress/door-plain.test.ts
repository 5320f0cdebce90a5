import type { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import {
  closing,
  connectTo,
  decisions,
  get,
  knock,
  makeDoor,
  open,
  plainPort,
  rule,
  seen,
} from '../testing/egress-door.ts';
import { httpServer, listen, readAll, readUntil } from '../testing/egress-world.ts';

test('plain requests pass to allowed hosts, body and answer included, without proxy headers', async () => {
  const at = `allowed.example:${plainPort}`;
  const inside = knock(
    makeDoor([rule('allowed.example', plainPort)]),
    `POST http://${at}/put?x=1 HTTP/1.1\r\nHost: ${at}\r\nTransfer-Encoding: chunked\r\nProxy-Authorization: Basic c2VjcmV0\r\n` +
      `Proxy-Connection: keep-alive\r\nX-Hop: 1\r\nConnection: X-Hop, Host, close\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  );
  expect(await readAll(inside)).toMatch(/^HTTP\/1.1 200 [^]*plain \/put\?x=1/);
  expect(seen).toMatchObject([{ method: 'POST', url: '/put?x=1', body: 'hello', headers: { host: at } }]);
  expect(seen[0]!.raw.join().toLowerCase()).not.toMatch(/proxy-|x-hop/);
  await expect.poll(() => decisions).toMatchObject([{ host: 'allowed.example', allowed: true }]);
});

test('each request of a kept connection is judged by itself', async () => {
  const at = `allowed.example:${plainPort}`;
  const inside = knock(makeDoor([rule('allowed.example', plainPort)]), get(`http://${at}/one`, at));
  expect(await readUntil(inside, 'plain /one')).toContain('200');
  inside.write(get(`http://internal.example:${plainPort}/two`, `internal.example:${plainPort}`));
  expect(await readAll(inside)).toContain('403');
  expect(seen.map(({ url }) => url)).toEqual(['/one']);
});

test('a Host header that names another place is refused, and so are two of them or none', async () => {
  const at = `allowed.example:${plainPort}`;
  const ask = (text: string) => readAll(knock(makeDoor([rule('allowed.example', plainPort)]), text));
  expect(await ask(get(`http://${at}/`, 'internal.example', closing))).toContain(
    'its Host header names internal.example',
  );
  expect(await ask(get(`http://${at}/`, 'allowed.example:1', closing))).toContain(' 403 ');
  expect(await ask(get(`http://${at}/`, at, `Host: internal.example\r\n${closing}`))).toContain(' 400 ');
  expect(await ask(`GET http://${at}/ HTTP/1.0\r\n\r\n`)).toContain(' 400 ');
  expect(await ask(get('/', at, closing))).toContain(' 400 ');
  expect(await ask(get(`https://${at}/`, at, closing))).toContain('CONNECT');
  expect(seen).toEqual([]);
});

test('a redirect is handed back, and following it is judged anew', async () => {
  const at = `allowed.example:${plainPort}`;
  const inside = knock(makeDoor([rule('allowed.example', plainPort)]), get(`http://${at}/away`, at));
  expect(await readUntil(inside, '\r\n\r\n')).toMatch(/ 302 [^]*internal\.example/);
  inside.write(get('http://internal.example/', 'internal.example'));
  expect(await readAll(inside)).toContain(' 403 ');
});

test('a WebSocket opens to an allowed host and to no other', async () => {
  const ask = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: a2V5\r\n';
  const at = `allowed.example:${plainPort}`;
  const door = makeDoor([rule('allowed.example', plainPort)]);
  const inside = knock(door, get(`http://${at}/ws`, at, ask));
  expect(await readUntil(inside, '\r\n\r\n')).toContain(' 101 ');
  inside.write('ping');
  expect(await readUntil(inside, 'echo ping')).toBe('echo ping');
  inside.destroy();
  const refused = get(`http://internal.example:${plainPort}/ws`, `internal.example:${plainPort}`, ask);
  expect(await readAll(knock(door, refused))).toContain(' 403 ');
  expect(seen.map(({ url }) => url)).toEqual(['/ws']);
});

test('oversized headers, slow senders, silence and too many connections are bounded', async () => {
  const door = makeDoor([rule('allowed.example', plainPort)], {
    limits: { headerBytes: 4096, headerTimeoutMs: 100, idleTimeoutMs: 150, connections: 4 },
  });
  const at = `allowed.example:${plainPort}`;
  expect(await readAll(knock(door, get(`http://${at}/`, at, `X: ${'a'.repeat(5000)}\r\n`)))).toContain(
    ' 431 ',
  );
  expect(await readAll(knock(door, 'GET http://allo'))).toBe('');
  expect(await readAll(knock(door))).toBe('');
  expect(await readAll(knock(door, '\x05\x01'))).toBe('');
  expect(await readAll(knock(door, get(`http://${at}/silent`, at)))).toContain(' 502 ');
  const four = Array.from({ length: 4 }, () => knock(door, 'GET '));
  expect(await readAll(knock(door, 'GET '))).toContain(' 503 ');
  for (const stream of four) stream.destroy();
});

test.skipIf(process.getuid?.() !== 0)(
  'a tunnel to port 80 is read as plain HTTP for that host (binding port 80 needs root)',
  async () => {
    const plain = httpServer((request, response) => response.end(`eighty ${request.headers.host}`));
    open.add(plain);
    await listen(plain, '127.83.12.9', 80);
    const door = makeDoor([rule('allowed.example', 80)], { resolve: async () => ['127.83.12.9'] });
    const inside = knock(door, connectTo('allowed.example:80'));
    await readUntil(inside, '\r\n\r\n');
    inside.write(get('/', 'allowed.example'));
    await readUntil(inside, 'eighty allowed.example');
    inside.write(get('/', 'internal.example'));
    expect(await readAll(inside)).toContain(' 403 ');
  },
);

test('a network that has a proxy is left through it', async () => {
  const asked: string[] = [];
  const proxy = httpServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers['proxy-authorization']}`);
    response.end('by proxy');
  });
  proxy.on('connect', (request, socket: Duplex) => {
    asked.push(`${request.method} ${request.url} ${request.headers['proxy-authorization']}`);
    socket.end('HTTP/1.1 407 No\r\n\r\n');
  });
  open.add(proxy);
  const address = `http://user:pass@127.0.0.1:${await listen(proxy)}`;
  const door = makeDoor([rule('allowed.example', 80, 443)], {
    proxyEnv: { https_proxy: address, HTTP_PROXY: address, NO_PROXY: 'localhost,.internal' },
    resolve: () => Promise.reject(new Error('ENOTFOUND')),
  });
  expect(await readAll(knock(door, connectTo('allowed.example:443')))).toMatch(/ 502 [^]*it answered 407/);
  expect(await readAll(knock(door, get('http://allowed.example/x', 'allowed.example', closing)))).toContain(
    'by proxy',
  );
  expect(asked).toEqual([
    'CONNECT allowed.example:443 Basic dXNlcjpwYXNz',
    'GET http://allowed.example:80/x Basic dXNlcjpwYXNz',
  ]);
});

test('methods and paths hold for plain requests, for each of a connection, and queries are not recorded', async () => {
  const at = `allowed.example:${plainPort}`;
  const limited = { ...rule('allowed.example', plainPort), methods: ['GET' as const], paths: ['/ok'] };
  const door = makeDoor([limited]);
  const inside = knock(door, get(`http://${at}/ok/1?a=b`, at));
  expect(await readUntil(inside, 'plain /ok/1?a=b')).toContain('200');
  inside.write(get(`http://${at}/other?token=s3cret`, at));
  expect(await readAll(inside)).toMatch(/ 403 [^]*the path is not allowed \(allowed: \/ok\)/);
  for (const [line, more] of [
    [`POST http://${at}/ok HTTP/1.1`, 'Content-Length: 0\r\n'],
    [`GET http://${at}/ok/%2e%2e/x HTTP/1.1`, ''],
    [`GET http://${at}/ok%2f..%2fx HTTP/1.1`, ''],
    [`GET http://${at}/ok HTTP/1.1`, 'X-HTTP-Method-Override: DELETE\r\n'],
    [`GET http://${at}/ok HTTP/1.1`, 'Upgrade: websocket\r\nConnection: Upgrade\r\n'],
  ] as const) {
    const answer = await readAll(knock(door, `${line}\r\nHost: ${at}\r\n${more}${closing}\r\n`));
    expect([line, more, answer.slice(9, 12)]).toEqual([line, more, '403']);
  }
  expect(seen.map(({ url }) => url)).toEqual(['/ok/1?a=b']);
  const refused = decisions.filter(({ allowed }) => !allowed);
  expect(refused[0]).toMatchObject({ method: 'GET', path: '/other' });
  expect(JSON.stringify(decisions)).not.toContain('s3cret');
});

test('a tunnel to a host whose contents a rule limits is not let through unread', async () => {
  const door = makeDoor([{ host: 'allowed.example', ports: [443], paths: ['/ok'] }]);
  expect(await readAll(knock(door, connectTo('allowed.example:443')))).toMatch(/^HTTP\/1.1 (403|502) /);
});

test('an address passes by a range of the configuration, plain and by SOCKS, and only on its ports', async () => {
  const at = `10.9.8.7:${plainPort}`;
  const net = { cidr: '10.9.0.0/16', ports: [plainPort] };
  const door = makeDoor([net], { limits: { connectTimeoutMs: 50 } });
  // Nothing answers there: the connection was tried.
  expect(await readAll(knock(door, get(`http://${at}/`, at, closing)))).toContain(' 502 ');
  expect(await readAll(knock(door, get('http://10.9.8.7:81/', '10.9.8.7:81', closing)))).toContain(' 403 ');
  const asked = Buffer.from([5, 1, 0, 5, 1, 0, 1, 10, 9, 8, 7, 0, 81]);
  expect((await readAll(knock(door, asked))).charCodeAt(3)).toBe(8);
  expect(await readAll(knock(door, get('http://169.254.169.254/', '169.254.169.254', closing)))).toContain(
    ' 403 ',
  );
});
