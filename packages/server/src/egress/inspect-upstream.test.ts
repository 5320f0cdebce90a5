import { randomBytes } from 'node:crypto';
import { createServer as createHttps, type ServerOptions } from 'node:https';
import { connect as netConnect } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import type { EgressRule } from '../domain/egress.ts';
import { connectTo, decisions, knock, makeDoor } from '../testing/egress-door.ts';
import { httpServer, listen, makeCertificate, readUntil } from '../testing/egress-world.ts';
import {
  ask,
  authority,
  http1Server,
  inspecting,
  listening,
  serverCertificate,
  through,
} from '../testing/inspected-door.ts';
import { createEgressAuthority } from './authority.ts';

const dayMs = 86_400_000;
const reached: string[] = [];
const rules = (port: number, host = 'allowed.example'): EgressRule[] => [
  { host, ports: [port], contents: 'inspect' },
];

/** A server whose certificate says what a test wants it to. */
async function serverWith(options: ServerOptions): Promise<number> {
  return listening(
    createHttps(options, (request, response) => {
      reached.push(request.url ?? '');
      response.end(`hello ${request.headers.host}`);
    }),
  );
}

/** A company's authority, at another time. */
const signing = (nowMs: number) => createEgressAuthority(randomBytes(32), 'company', { nowMs: () => nowMs });

test('an inspected connection leaves through the proxy of the network, to the name and nowhere else', async () => {
  const asked: string[] = [];
  const server = http1Server((request, response) => response.end(`by proxy ${request.url}`));
  const port = await listening(server);
  const proxy = httpServer();
  proxy.on('connect', (request, socket: Duplex, head: Buffer) => {
    asked.push(`${request.url} ${request.headers['proxy-authorization']}`);
    const onward = netConnect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.write(head);
      socket.pipe(onward).pipe(socket);
    });
    for (const one of [socket, onward]) one.on('error', () => one.destroy());
  });
  const address = `http://user:pass@127.0.0.1:${await listen(proxy)}`;
  const door = makeDoor(rules(443), {
    ...inspecting,
    proxyEnv: { HTTPS_PROXY: address },
    // Behind such a proxy outside names often do not resolve.
    resolve: () => Promise.reject(new Error('ENOTFOUND')),
  });
  const socket = await through(door, 'allowed.example', 443);
  expect(await ask(socket, { host: 'allowed.example', path: '/x' })).toMatchObject({
    status: 200,
    body: 'by proxy /x',
  });
  expect(asked).toEqual(['allowed.example:443 Basic dXNlcjpwYXNz']);
  await expect.poll(() => decisions).toMatchObject([{ allowed: true, contents: 'inspect' }]);
  // What the proxy leads to has to prove that it is the host, as without one.
  const wrong = makeDoor(rules(443, 'third.example'), {
    ...inspecting,
    proxyEnv: { HTTPS_PROXY: address },
    resolve: () => Promise.reject(new Error('ENOTFOUND')),
  });
  const answer = await ask(await through(wrong, 'third.example', 443), { host: 'third.example' });
  expect(answer).toMatchObject({ status: 502, headers: { 'x-berth-code': 'EGRESS_SERVER_UNTRUSTED' } });
  proxy.close();
});

test('an authority of the configuration is believed from the moment it is there, and no longer than that', async () => {
  const company = signing(Date.now());
  const port = await serverWith({
    ...serverCertificate,
    SNICallback: (name, done) => done(null, company.contextFor(name)),
  });
  const door = makeDoor(rules(port), { authority });
  const once = async () =>
    ask(await through(door, 'allowed.example', port), { host: `allowed.example:${port}` });
  expect((await once()).status).toBe(502);
  door.setPolicy({ rules: rules(port), trust: [company.certificate] });
  expect(await once()).toMatchObject({ status: 200, body: `hello allowed.example:${port}` });
  door.setPolicy({ rules: rules(port) });
  expect((await once()).status).toBe(502);
});

test.each<readonly [what: string, options: () => ServerOptions & { trusted: string }, sentence: string]>([
  [
    'expired',
    () => {
      const past = signing(Date.now() - 800 * dayMs);
      return {
        ...serverCertificate,
        SNICallback: (name, done) => done(null, past.contextFor(name)),
        trusted: past.certificate,
      };
    },
    'its certificate has expired',
  ],
  [
    'for another name',
    () => {
      const other = makeCertificate(['third.example']);
      return { ...other, trusted: other.cert };
    },
    'its certificate is for another name',
  ],
  [
    'signed by nobody known',
    () => ({ ...makeCertificate(['allowed.example']), trusted: serverCertificate.cert }),
    'its certificate is signed by nobody whom the worker trusts',
  ],
])(
  'a certificate that is %s is told to whoever asked, and recorded; the server hears no request',
  async (_what, make, sentence) => {
    reached.length = 0;
    const { trusted, ...options } = make();
    const port = await serverWith(options);
    const door = makeDoor(rules(port), { authority, trusted: [trusted] });
    for (const protocols of [['http/1.1'], undefined]) {
      const socket = await through(
        door,
        'allowed.example',
        port,
        protocols === undefined ? {} : { protocols },
      );
      const answer = await ask(socket, { host: `allowed.example:${port}`, path: '/secret' });
      expect(answer).toMatchObject({ status: 502, headers: { 'x-berth-code': 'EGRESS_SERVER_UNTRUSTED' } });
      expect(answer.body).toContain(
        `no trusted TLS connection to allowed.example could be made: ${sentence}`,
      );
    }
    expect(reached).toEqual([]);
    await expect
      .poll(() => decisions)
      .toMatchObject([
        {
          host: 'allowed.example',
          port,
          allowed: false,
          code: 'EGRESS_SERVER_UNTRUSTED',
          reason: expect.stringContaining(sentence),
        },
      ]);
  },
);

test('a registry at an IPv6 address is inspected like any other, by a certificate for the address', async () => {
  const own = makeCertificate(['::1']);
  const server = createHttps(own, (request, response) => response.end(`hello ${request.headers.host}`));
  const port = await listen(server, '::1');
  const door = makeDoor([{ ecosystem: 'npm' }], {
    authority,
    trusted: [own.cert],
    ecosystems: {
      facts: async () => ({ hosts: () => Promise.resolve([{ host: '::1', port }]), env: {} }),
    },
  });
  const begin = async (at: string): Promise<TLSSocket> => {
    const inside = knock(door, connectTo(`[${at}]:${port}`));
    expect(await readUntil(inside, '\r\n\r\n')).toContain(' 200 ');
    return new Promise((resolve, reject) => {
      const socket = tlsConnect({ socket: inside, host: '::1', ca: authority.certificate });
      socket.once('secureConnect', () => resolve(socket)).once('error', reject);
    });
  };
  const socket = await begin('::1');
  expect(socket.getPeerCertificate().subjectaltname).toBe('IP Address:0:0:0:0:0:0:0:1');
  expect(await ask(socket, { host: `[::1]:${port}` })).toMatchObject({
    status: 200,
    body: `hello [::1]:${port}`,
  });
  // Read-only, as every registry.
  const refused = await ask(await begin('::1'), { host: `[::1]:${port}`, method: 'PUT' });
  expect(refused.status).toBe(403);
  server.close();
});
