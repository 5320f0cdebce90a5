import { execFileSync } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EgressDecision, EgressRule } from '../packages/server/src/domain/egress.ts';
import type { Sandbox } from '../packages/server/src/domain/ports/sandbox.ts';
import { defaultRefusedRanges } from '../packages/server/src/egress/index.ts';
import {
  httpServer,
  httpsServer,
  listen,
  makeCertificate,
} from '../packages/server/src/testing/egress-world.ts';
import { askDoor, inside, nodeInside } from './isolation/harness.ts';
import { onEveryDriver, type Subject } from './isolation/subjects.ts';

/** Connects to every `host:port` (or `@name`, an abstract socket) it is given, at once, and prints what it reached. */
const connectAll = `
const net = require('net');
for (const place of process.argv.slice(1)) {
  const at = place.startsWith('/') ? { path: place } : place.startsWith('@') ? { path: '\\0' + place.slice(1) } : { host: place.slice(0, place.lastIndexOf(':')), port: Number(place.split(':').at(-1)) };
  const socket = net.connect(at);
  socket.setTimeout(10000, () => socket.destroy());
  socket.on('connect', () => { console.log('reached', place); socket.destroy(); });
  socket.on('error', () => {});
}`;

/** TLS through the door: CONNECT to one host, SNI for another; prints the answer or the error. */
const tunnel = `
const [authority, servername] = process.argv.slice(1);
const socket = require('net').connect(3128, '127.0.0.1');
socket.write('CONNECT ' + authority + ' HTTP/1.1\\r\\nHost: ' + authority + '\\r\\n\\r\\n');
socket.once('data', (chunk) => {
  const line = chunk.toString().split('\\r\\n')[0];
  if (!line.includes(' 200 ')) { console.log(line, chunk.toString().split('\\r\\n\\r\\n')[1]); return socket.destroy(); }
  const tls = require('tls').connect({ socket, servername: servername || undefined, rejectUnauthorized: false });
  tls.on('error', (error) => console.log('cut', error.code));
  tls.on('secureConnect', () => tls.end('GET / HTTP/1.1\\r\\nHost: ' + servername + '\\r\\nConnection: close\\r\\n\\r\\n'));
  tls.on('data', (data) => console.log(data.toString().split('\\r\\n\\r\\n')[1] ?? ''));
});`;

onEveryDriver('the network of a sandbox', ({ make }) => {
  let addresses: readonly string[] = ['127.0.0.1'];
  const egress = {
    refusedRanges: defaultRefusedRanges.filter((range) => range !== '127.0.0.0/8'),
    resolve: () => Promise.resolve(addresses),
    proxyEnv: {},
  };
  let subject: Subject;
  const { key, cert } = makeCertificate(['allowed.example', 'other.example']);
  const servers: Server[] = [];
  const decisions: EgressDecision[] = [];
  let reached = 0;
  let sandbox: Sandbox;
  let closed: Sandbox;
  let plain = 0;
  let secure = 0;
  let places: string[] = [];

  beforeAll(async () => {
    subject = await make({ egress });
    const web = httpServer((request, response) => {
      reached += 1;
      if (request.url === '/away') response.writeHead(302, { location: `http://169.254.169.254/` }).end();
      else response.end(`plain ${request.url}`);
    });
    const tlsWeb = httpsServer({ key, cert }, (_, response) => {
      reached += 1;
      response.end('secure');
    });
    const everywhere = createServer((socket) => socket.end());
    const abstract = createServer((socket) => socket.end());
    servers.push(web, tlsWeb, everywhere, abstract);
    [plain, secure] = [await listen(web), await listen(tlsWeb)];
    await new Promise<void>((resolve) => everywhere.listen(0, '::', resolve));
    const name = `berth-test-${process.pid}`;
    await new Promise<void>((resolve) => abstract.listen(`\0${name}`, resolve));
    const address = everywhere.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const own = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .filter(({ internal }) => !internal)
      .map((one) => (one.scopeid ? `${one.address}%${one.scopeid}` : one.address));
    places = [
      ...(subject.engine === null ? [] : [subject.engine]),
      `127.0.0.1:${port}`,
      `::1:${port}`,
      `::ffff:127.0.0.1:${port}`,
      ...own.map((ip) => `${ip}:${port}`),
      `@${name}`,
    ];
    const rules: EgressRule[] = [{ host: 'allowed.example', ports: [plain, secure] }];
    sandbox = await subject.driver.create(subject.spec({ egress: { rules } }), AbortSignal.timeout(120_000));
    sandbox.onEgress((decision) => decisions.push(decision));
  });
  afterAll(async () => {
    for (const server of servers) server.close();
    await subject?.cleanUp();
  });

  test('in its first moment, and ever after, it reaches no place of the host, by no address and no socket', async () => {
    const found = execFileSync(process.execPath, ['-e', connectAll, ...places]).toString();
    // The same program on the host finds the planted servers.
    for (const place of places.filter((one) => !one.includes('%')))
      expect(found).toContain(`reached ${place}\n`);
    closed = await subject.driver.create(subject.spec(), AbortSignal.timeout(120_000));
    expect(await nodeInside(closed, connectAll, ...places)).toBe('');
    expect(
      await nodeInside(
        sandbox,
        connectAll,
        ...places,
        '1.1.1.1:443',
        '2606:4700:4700::1111:443',
        '169.254.169.254:80',
        'fd00:ec2::254:80',
        '192.0.2.1:80',
      ),
    ).toBe('');
  });

  test('it has no interface but loopback, no route, and no raw or packet sockets', async () => {
    const { text } = await inside(
      sandbox,
      `cat /proc/net/dev | tail -n +3 | cut -d: -f1; tail -n +2 /proc/net/route; ls /sys/class/net 2>/dev/null`,
    );
    expect(new Set(text.trim().split('\n'))).toEqual(new Set(['lo']));
    const sockets = await inside(
      sandbox,
      `for f in '17,3' '2,3' '10,3' '16,3' '40,1' '38,5'; do perl -e 'my ($d,$t)=split /,/,$ARGV[0]; socket(my $s,$d,$t,$d==16?12:0) and print "made $ARGV[0]\\n"' $f; done`,
    );
    expect(sockets.text).toBe('');
  });

  test('names are not resolved inside, neither by the system nor by a resolver of its own', async () => {
    const text = await nodeInside(
      sandbox,
      `const dns = require('dns');
       dns.lookup('allowed.example', (e) => console.log('lookup', e && e.code));
       const r = new dns.Resolver({ timeout: 500, tries: 1 }); r.setServers(['1.1.1.1', '127.0.0.53']);
       r.resolve4('allowed.example', (e) => console.log('resolver', e ? 'failed' : 'worked'));`,
    );
    expect(text).toMatch(/lookup E(NOTFOUND|AI_AGAIN)/);
    expect(text).toContain('resolver failed');
  });

  test('the door lets through what is allowed', async () => {
    expect(await nodeInside(sandbox, askDoor, `http://allowed.example:${plain}/x`)).toBe('200 plain /x\n');
    expect(await nodeInside(sandbox, tunnel, `allowed.example:${secure}`, 'allowed.example')).toContain(
      'secure',
    );
    expect(decisions.filter(({ allowed }) => allowed).map(({ host }) => host)).toContain('allowed.example');
  });

  test('and nothing else: other hosts, ports, addresses, resolvers over HTTPS, fronted names, foreign Host headers', async () => {
    const before = reached;
    const refused = [
      [tunnel, 'other.example:443', 'other.example'],
      [tunnel, 'allowed.example:22', 'allowed.example'],
      [tunnel, `127.0.0.1:${secure}`, 'allowed.example'],
      [tunnel, `[::1]:${secure}`, 'allowed.example'],
      [tunnel, `[::ffff:127.0.0.1]:${secure}`, 'allowed.example'],
      [tunnel, `2130706433:${secure}`, 'allowed.example'],
      [tunnel, '1.1.1.1:443', 'one.one.one.one'],
      [tunnel, 'dns.example:443', 'dns.example'],
      [askDoor, `http://127.0.0.1:${plain}/`],
      [askDoor, `http://127.1:${plain}/`, `127.1:${plain}`],
      [askDoor, `http://other.example:${plain}/`],
      [askDoor, `http://allowed.example:${plain}/`, 'other.example'],
    ] as const;
    for (const [program, ...args] of refused) {
      expect([args, await nodeInside(sandbox, program, ...args)]).toEqual([
        args,
        expect.stringMatching(/ ?40[03] /),
      ]);
    }
    for (const servername of ['other.example', '']) {
      expect(await nodeInside(sandbox, tunnel, `allowed.example:${secure}`, servername)).toMatch(/^cut /);
    }
    expect(reached).toBe(before);
    expect(decisions.filter(({ allowed }) => !allowed).length).toBeGreaterThan(8);
  });

  test('a redirect out, and a name that turns to a special address, lead nowhere', async () => {
    expect(await nodeInside(sandbox, askDoor, `http://allowed.example:${plain}/away`)).toMatch(/^302/);
    expect(await nodeInside(sandbox, askDoor, 'http://169.254.169.254/')).toMatch(/^403/);
    const before = reached;
    for (const special of ['169.254.169.254', '10.0.0.1', '::ffff:10.0.0.1', 'fd00::1', '203.0.113.9']) {
      addresses = [special];
      expect(await nodeInside(sandbox, tunnel, `allowed.example:${secure}`, 'allowed.example')).toContain(
        'egress.refusedRanges',
      );
    }
    addresses = ['127.0.0.1'];
    expect(reached).toBe(before);
  });

  test('SOCKS leads to the same door', async () => {
    const socks = `
      const [host, port] = process.argv.slice(1); const s = require('net').connect(3128, '127.0.0.1');
      const h = Buffer.from(host); const p = Buffer.alloc(2); p.writeUInt16BE(Number(port));
      s.write(Buffer.from([5, 1, 0])); s.once('data', () => { s.write(Buffer.concat([Buffer.from([5, 1, 0, 3, h.length]), h, p]));
      s.once('data', (d) => { console.log('reply', d[1]); s.destroy(); }); });`;
    expect(await nodeInside(sandbox, socks, 'allowed.example', String(secure))).toBe('reply 0\n');
    expect(await nodeInside(sandbox, socks, 'other.example', '443')).toBe('reply 2\n');
    expect(await nodeInside(sandbox, socks, '127.0.0.1', String(plain))).toBe('reply 2\n');
  });

  test('a policy that is taken back holds at once', async () => {
    sandbox.setEgress({ rules: [] });
    expect(await nodeInside(sandbox, askDoor, `http://allowed.example:${plain}/x`)).toMatch(/^403/);
  });
});
