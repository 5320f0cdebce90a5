import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { BrokeredCredential, EgressRule } from '../domain/egress.ts';
import { decisions, get, knock, makeDoor } from '../testing/egress-door.ts';
import { readAll, readUntil } from '../testing/egress-world.ts';
import {
  ask,
  brokerOf,
  http1Server,
  http2Server,
  http2Through,
  inspecting,
  listening,
  through,
} from '../testing/inspected-door.ts';

const value = 'real+value/0123456789';
const placeholder = 'berth-placeholder-7f3a';
const seen: Array<{
  url: string;
  authorization: string | undefined;
  token: string | undefined;
  host: string;
}> = [];
const server = http1Server((request, response) => {
  const { authorization, host = '' } = request.headers;
  const token = request.headers['x-token'] as string | undefined;
  seen.push({ url: request.url ?? '', authorization, token, host });
  const said = `${authorization ?? ''} ${request.url ?? ''}`;
  if (request.url?.includes('/away')) {
    response.writeHead(302, { location: 'https://other.example/api' }).end();
  } else if (request.url?.includes('/echo-header')) {
    response.writeHead(200, { 'x-said': said }).end('ok');
  } else if (request.url?.includes('/echo-gzip')) {
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(said));
  } else if (request.url?.includes('/echo-odd')) {
    response.writeHead(200, { 'content-encoding': 'compress' }).end(said);
  } else if (request.url?.includes('/echo-cut')) {
    response.write(said.slice(0, 12));
    setTimeout(() => response.end(said.slice(12)), 5);
  } else if (request.url?.includes('/echo')) {
    response.end(
      [
        said,
        Buffer.from(value).toString('base64'),
        encodeURIComponent(value),
        Buffer.from(value).toString('hex'),
      ].join('|'),
    );
  } else response.end('fine');
});
const port = await listening(server);
const host = `allowed.example:${port}`;
const rules: EgressRule[] = [
  { host: 'allowed.example', ports: [port] },
  { host: 'other.example', ports: [port] },
];
const credential = (more: Partial<BrokeredCredential> = {}): BrokeredCredential => ({
  name: 'registry',
  host: 'allowed.example',
  port,
  paths: ['/api'],
  placement: { in: 'header', name: 'Authorization', prefix: 'Bearer ' },
  placeholder,
  ...more,
});
const values = new Map([['registry', value]]);
const doorWith = (...list: BrokeredCredential[]) =>
  makeDoor(rules, { ...inspecting, credentials: brokerOf(list, values) });
const askWith = async (
  list: readonly BrokeredCredential[],
  options: { path?: string; headers?: Record<string, string>; at?: string },
) => {
  const at = options.at ?? 'allowed.example';
  const contents = at === 'allowed.example' ? {} : { contents: 'inspect' as const };
  const door = makeDoor(
    rules.map((rule) => ('host' in rule && rule.host === at ? { ...rule, ...contents } : rule)),
    { ...inspecting, credentials: brokerOf(list, values) },
  );
  return ask(await through(door, at, port), { host: `${at}:${port}`, ...options });
};

test('the value is put where the tool sent nothing or the placeholder, and only below its paths', async () => {
  seen.length = 0;
  const one = [credential()];
  expect((await askWith(one, { path: '/api/x' })).status).toBe(200);
  expect(
    (await askWith(one, { path: '/api', headers: { authorization: `Bearer ${placeholder}` } })).status,
  ).toBe(200);
  expect((await askWith(one, { path: '/other' })).status).toBe(200);
  expect((await askWith(one, { path: '/apix' })).status).toBe(200);
  expect(seen.map(({ authorization }) => authorization)).toEqual([
    `Bearer ${value}`,
    `Bearer ${value}`,
    undefined,
    undefined,
  ]);
});

test('as Basic password and as query parameter', async () => {
  seen.length = 0;
  const basic = [credential({ placement: { in: 'basic', username: 'robot' } })];
  const pair = (user: string, password: string) =>
    `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  await askWith(basic, { path: '/api' });
  await askWith(basic, { path: '/api', headers: { authorization: pair('robot', placeholder) } });
  expect(seen.map(({ authorization }) => authorization)).toEqual([
    pair('robot', value),
    pair('robot', value),
  ]);
  const other = await askWith(basic, {
    path: '/api',
    headers: { authorization: pair('somebody', placeholder) },
  });
  expect(other).toMatchObject({ status: 403, headers: { 'x-berth-code': 'EGRESS_CREDENTIAL_AMBIGUOUS' } });
  seen.length = 0;
  const query = [credential({ placement: { in: 'query', name: 'key' } })];
  await askWith(query, { path: '/api?a=1' });
  await askWith(query, { path: `/api?key=${placeholder}&a=1` });
  expect(seen.map(({ url }) => url)).toEqual([
    `/api?a=1&key=${encodeURIComponent(value)}`,
    `/api?a=1&key=${encodeURIComponent(value)}`,
  ]);
  expect((await askWith(query, { path: '/api?key=mine' })).status).toBe(403);
  expect((await askWith(query, { path: '/api?key=a&k%65y=b' })).status).toBe(403);
});

test.each<readonly [string, { path?: string; headers?: Record<string, string>; at?: string }]>([
  ['another value in its place', { path: '/api', headers: { authorization: 'Bearer mine' } }],
  [
    'the placeholder beside something',
    { path: '/api', headers: { authorization: `Bearer ${placeholder} x` } },
  ],
  ['the placeholder in another header', { path: '/api', headers: { 'x-token': placeholder } }],
  ['the placeholder in another case', { path: '/api', headers: { 'x-token': placeholder.toUpperCase() } }],
  ['the placeholder in the query', { path: `/api?x=${placeholder}` }],
  ['the placeholder, encoded, in the path', { path: `/api/${placeholder.replace('b', '%62')}` }],
  [
    'the placeholder outside its paths',
    { path: '/other', headers: { authorization: `Bearer ${placeholder}` } },
  ],
  [
    'the placeholder on another host',
    { at: 'other.example', headers: { authorization: `Bearer ${placeholder}` } },
  ],
  [
    'the placeholder in Basic for another host',
    {
      at: 'other.example',
      headers: { authorization: `Basic ${Buffer.from(`a:${placeholder}`).toString('base64')}` },
    },
  ],
  ['a path that can be read in two ways', { path: '/api/../api' }],
])('a request with %s is refused, and the server never sees it', async (_name, options) => {
  seen.length = 0;
  const answer = await askWith([credential()], options);
  expect(answer).toMatchObject({ status: 403, headers: { 'x-berth-code': 'EGRESS_CREDENTIAL_AMBIGUOUS' } });
  expect(seen).toEqual([]);
  expect(decisions).toContainEqual(
    expect.objectContaining({ allowed: false, code: 'EGRESS_CREDENTIAL_AMBIGUOUS' }),
  );
  expect(JSON.stringify(decisions)).not.toContain(value);
});

test('two credentials that fit alike refuse the request', async () => {
  const answer = await askWith([credential(), credential({ name: 'second', placeholder: 'another-one-1' })], {
    path: '/api',
  });
  expect(answer.status).toBe(403);
});

test('a redirect is handed back, and the value does not follow it', async () => {
  seen.length = 0;
  const answer = await askWith([credential()], { path: '/api/away' });
  expect(answer).toMatchObject({ status: 302, headers: { location: 'https://other.example/api' } });
  await askWith([credential()], { path: '/api', at: 'other.example' });
  expect(seen.at(-1)).toMatchObject({ host: `other.example:${port}`, authorization: undefined });
});

test('a server that repeats the value gives the sandbox asterisks, in every spelling', async () => {
  for (const path of ['/api/echo', '/api/echo-header', '/api/echo-gzip', '/api/echo-cut']) {
    const answer = await askWith([credential()], { path });
    expect(answer.status).toBe(200);
    const all = JSON.stringify(answer);
    expect(all).toContain('****');
    for (const form of [value, Buffer.from(value).toString('base64'), encodeURIComponent(value)])
      expect(all).not.toContain(form);
  }
  expect(decisions).toContainEqual(
    expect.objectContaining({ allowed: false, code: 'EGRESS_CREDENTIAL_ECHOED' }),
  );
  expect((await askWith([credential()], { path: '/api/echo-odd' })).status).toBe(502);
});

test('a rotated value counts at once, and one that cannot be read sends nothing', async () => {
  seen.length = 0;
  values.set('registry', 'rotated-value-1');
  await askWith([credential()], { path: '/api' });
  values.delete('registry');
  const answer = await askWith([credential()], { path: '/api' });
  expect(answer).toMatchObject({ status: 502, headers: { 'x-berth-code': 'SECRET_UNAVAILABLE' } });
  values.set('registry', 'two\r\nlines: yes');
  expect((await askWith([credential()], { path: '/api' })).status).toBe(502);
  values.set('registry', value);
  expect(seen.map(({ authorization }) => authorization)).toEqual(['Bearer rotated-value-1']);
});

test('nothing is put on a request without TLS', async () => {
  const door = doorWith(credential());
  const answer = await readAll(knock(door, get(`http://${host}/api`, host, 'Connection: close\r\n')));
  expect(answer).toMatch(/^HTTP\/1.1 403 [^]*only put on requests inside TLS/);
});

test('a WebSocket carries it, and does not bring it back', async () => {
  const echoing = http1Server(() => undefined);
  echoing.on('upgrade', (request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
    socket.write(`you sent ${request.headers.authorization} end`);
  });
  const wsPort = await listening(echoing);
  const door = makeDoor([{ host: 'allowed.example', ports: [wsPort] }], {
    ...inspecting,
    credentials: brokerOf([credential({ port: wsPort })], values),
  });
  const socket = await through(door, 'allowed.example', wsPort);
  socket.write(
    `GET /api HTTP/1.1\r\nHost: allowed.example:${wsPort}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
  );
  await readUntil(socket, '\r\n\r\n');
  expect(await readUntil(socket, ' end')).toBe(`you sent Bearer ${'*'.repeat(value.length)} end`);
  socket.destroy();
});

test('gRPC carries it in both directions of streaming, and trailers do not bring it back', async () => {
  const grpc = http2Server();
  const got: Array<string | undefined> = [];
  grpc.on('stream', (stream, headers) => {
    got.push(headers['x-api-key'] as string | undefined);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () =>
      stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': `key ${String(headers['x-api-key'])}` }),
    );
    stream.on('error', () => undefined);
    stream.pipe(stream);
  });
  const grpcPort = await listening(grpc);
  const brokered = credential({
    port: grpcPort,
    paths: ['/build.Service'],
    placement: { in: 'header', name: 'X-Api-Key', prefix: '' },
  });
  const door = makeDoor([{ host: 'allowed.example', ports: [grpcPort] }], {
    ...inspecting,
    credentials: brokerOf([brokered], values),
  });
  const session = await http2Through(door, 'allowed.example', grpcPort);
  const call = session.request({ ':method': 'POST', ':path': '/build.Service/Run', te: 'trailers' });
  let body = '';
  let message = '';
  call.on('data', (chunk: Buffer) => (body += chunk.toString()));
  call.on('trailers', (trailers) => (message = String(trailers['grpc-message'])));
  call.write('one ');
  await expect.poll(() => body).toBe('one ');
  call.end(`and ${value} two`);
  await new Promise((resolve) => call.once('close', resolve));
  expect(got).toEqual([value]);
  expect(body).toBe(`one and ${'*'.repeat(value.length)} two`);
  expect(message).toBe(`key ${'*'.repeat(value.length)}`);
  session.destroy();
});
