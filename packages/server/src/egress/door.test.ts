import { once } from 'node:events';
import { expect, test } from 'vitest';
import {
  cert,
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
  tlsPort,
} from '../testing/egress-door.ts';
import { httpServer, listen, readAll, readUntil, tlsOver } from '../testing/egress-world.ts';
import type { EcosystemSource } from './ecosystems.ts';
import { defaultRefusedRanges } from './special-ranges.ts';

test('a tunnel to an allowed host carries TLS, and its bytes are counted when it closes', async () => {
  const inside = knock(makeDoor([rule('allowed.example', tlsPort)]), connectTo(`allowed.example:${tlsPort}`));
  expect(await readUntil(inside, '\r\n\r\n')).toContain('200');
  const tls = await tlsOver(inside, 'allowed.example', cert);
  if (tls instanceof Error) throw tls;
  tls.write(get('/', 'allowed.example', closing));
  expect(await readAll(tls)).toContain('secure allowed.example');
  tls.destroy();
  await expect.poll(() => decisions).toHaveLength(1);
  expect(decisions[0]).toMatchObject({ host: 'allowed.example', port: tlsPort, allowed: true });
  expect(decisions[0]!.bytesUp).toBeGreaterThan(200);
  expect(decisions[0]!.bytesDown).toBeGreaterThan(500);
});

test('without rules everything is refused, with a reason a person understands', async () => {
  const answer = await readAll(knock(makeDoor([]), connectTo('allowed.example:443')));
  expect(answer).toMatch(/^HTTP\/1.1 403 /);
  expect(answer).toContain('Berth refused this connection: allowed.example:443 is not allowed');
  expect(decisions).toMatchObject([{ host: 'allowed.example', port: 443, allowed: false }]);
});

test('a tunnel whose TLS names another host is cut before a byte goes out', async () => {
  const reached = Promise.withResolvers<Buffer>();
  const trap = httpServer();
  trap.on('connection', (socket) => socket.on('data', (chunk: Buffer) => reached.resolve(chunk)));
  open.add(trap);
  const port = await listen(trap);
  for (const servername of ['other.example', undefined]) {
    const inside = knock(makeDoor([rule('allowed.example', port)]), connectTo(`allowed.example:${port}`));
    await readUntil(inside, '\r\n\r\n');
    expect(await tlsOver(inside, servername, cert)).toBeInstanceOf(Error);
  }
  expect(decisions.map(({ reason }) => reason).join()).toMatch(/names other\.example.*SNI is required/);
  // The trap would have seen the bytes first: this request is the first thing it reads.
  const inside = knock(
    makeDoor([rule('allowed.example', port)]),
    get(`http://allowed.example:${port}/last`, `allowed.example:${port}`),
  );
  expect((await reached.promise).toString()).toMatch(/^GET \/last/);
  inside.destroy();
});

test('a tunnel that does not speak TLS is refused on every port but 80', async () => {
  const inside = knock(
    makeDoor([rule('allowed.example', plainPort)]),
    connectTo(`allowed.example:${plainPort}`),
  );
  await readUntil(inside, '\r\n\r\n');
  inside.write(get('/secret', 'allowed.example'));
  await readAll(inside);
  expect(seen).toEqual([]);
  expect(decisions).toMatchObject([{ allowed: false }]);
  expect(decisions[0]!.reason).toContain('does not begin with a TLS handshake');
});

test('a tunnel whose hello dribbles in is cut in time', async () => {
  const door = makeDoor([rule('allowed.example', tlsPort)], { limits: { headerTimeoutMs: 80 } });
  const inside = knock(door, connectTo(`allowed.example:${tlsPort}`));
  await readUntil(inside, '\r\n\r\n');
  inside.write(Buffer.from([0x16, 3, 1, 2, 0]));
  await readAll(inside);
  expect(decisions).toMatchObject([{ allowed: false }]);
});

test.each([
  '127.0.0.1',
  '127.1',
  '2130706433',
  '0x7f000001',
  '0177.0.0.1',
  '[::1]',
  '[::ffff:127.0.0.1]',
  '169.254.169.254',
])('the address %s is refused as tunnel and as request, even where a rule spells it', async (literal) => {
  const host = literal.replace(/[[\]]/g, '');
  const door = () => makeDoor([rule(host, 80, 443, plainPort), rule('allowed.example', 443)]);
  expect(await readAll(knock(door(), connectTo(`${literal}:443`)))).toMatch(
    / 403 [^]*only names can be allowed/,
  );
  const plain = await readAll(
    knock(door(), get(`http://${literal}:${plainPort}/`, `${literal}:${plainPort}`, closing)),
  );
  expect(plain).toMatch(/^HTTP\/1.1 40[03] /);
  expect(seen).toEqual([]);
});

test('the other ports of an allowed host are refused, and the answer names the allowed ones', async () => {
  const answer = await readAll(
    knock(makeDoor([rule('allowed.example', 443)]), connectTo('allowed.example:22')),
  );
  expect(answer).toContain('port 22 of allowed.example is not allowed (allowed: 443)');
});

test('a wildcard covers names below it and nothing else', async () => {
  const ask = (host: string) =>
    readAll(
      knock(makeDoor([rule('*.example.org', 443)], { resolve: async () => [] }), connectTo(`${host}:443`)),
    );
  expect(await ask('a.example.org')).toContain(' 502 ');
  expect(await ask('a.b.example.org.')).toContain(' 502 ');
  expect(await ask('example.org')).toContain(' 403 ');
  expect(await ask('evilexample.org')).toContain(' 403 ');
  expect(await ask('example.org.evil.net')).toContain(' 403 ');
});

test('a name that does not resolve is 502, one that resolves into a special range is 403 with range and setting', async () => {
  const missing = makeDoor([rule('gone.example', 443)], {
    resolve: () => Promise.reject(new Error('ENOTFOUND')),
  });
  expect(await readAll(knock(missing, connectTo('gone.example:443')))).toMatch(
    / 502 [^]*gone.example does not resolve/,
  );
  for (const [address, cidr] of [
    ['10.0.0.5', '10.0.0.0/8'],
    ['169.254.169.254', '169.254.0.0/16'],
    ['::1', '::/96'],
    ['::ffff:10.0.0.1', '10.0.0.0/8'],
    ['fd00::1', 'fc00::/7'],
    ['64:ff9b::7f00:1', '64:ff9b::/96'],
  ] as const) {
    const door = makeDoor([rule('inner.example', 443)], { resolve: async () => [address] });
    const answer = await readAll(knock(door, connectTo('inner.example:443')));
    expect(answer).toContain(' 403 ');
    expect(answer).toContain(address);
    expect(answer).toContain('egress.refusedRanges');
    expect(answer).toContain(cidr);
  }
});

test('a rebinding resolver is asked once, and the checked address is the one connected to', async () => {
  let asked = 0;
  const door = makeDoor([rule('allowed.example', tlsPort)], {
    resolve: async () => (asked++ === 0 ? ['127.0.0.1'] : ['10.0.0.1']),
  });
  const inside = knock(door, connectTo(`allowed.example:${tlsPort}`));
  await readUntil(inside, '\r\n\r\n');
  expect(await tlsOver(inside, 'allowed.example', cert)).not.toBeInstanceOf(Error);
  expect(asked).toBe(1);
  expect(await readAll(knock(door, connectTo(`allowed.example:${tlsPort}`)))).toContain(' 403 ');
});

test('SOCKS5 serves names and refuses addresses, other commands and other hosts', async () => {
  const door = makeDoor([rule('allowed.example', tlsPort), rule('127.0.0.1', tlsPort)]);
  const port = Buffer.alloc(2);
  port.writeUInt16BE(tlsPort);
  const name = (host: string, command = 1) =>
    Buffer.concat([Buffer.from([5, 1, 0, 5, command, 0, 3, host.length]), Buffer.from(host), port]);
  const inside = knock(door, name('allowed.example'));
  await readUntil(inside, '\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00');
  expect(await tlsOver(inside, 'allowed.example', cert)).not.toBeInstanceOf(Error);

  const reply = async (bytes: Buffer) => (await readAll(knock(door, bytes))).charCodeAt(3);
  expect(await reply(name('internal.example'))).toBe(2);
  expect(await reply(name('127.0.0.1'))).toBe(2);
  expect(await reply(name('allowed.example', 2))).toBe(7);
  expect(await reply(name('allowed.example', 3))).toBe(7);
  expect(await reply(Buffer.concat([Buffer.from([5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1]), port]))).toBe(8);
  expect(
    await reply(
      Buffer.concat([Buffer.from([5, 1, 0, 5, 1, 0, 4]), Buffer.alloc(15), Buffer.from([1]), port]),
    ),
  ).toBe(8);
  expect(decisions.filter(({ allowed }) => !allowed).map(({ host }) => host)).toContain('0:0:0:0:0:0:0:1');

  const fronted = knock(door, name('allowed.example'));
  await readUntil(fronted, '\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00');
  expect(await tlsOver(fronted, 'other.example', cert)).toBeInstanceOf(Error);
});

test('a new policy resets what it forbids and leaves the rest', async () => {
  const door = makeDoor([rule('allowed.example', tlsPort), rule('other.example', tlsPort)]);
  const openTunnel = async (host: string) => {
    const inside = knock(door, connectTo(`${host}:${tlsPort}`));
    await readUntil(inside, '\r\n\r\n');
    const tls = await tlsOver(inside, host, cert);
    if (tls instanceof Error) throw tls;
    return tls;
  };
  const [kept, cut] = [await openTunnel('allowed.example'), await openTunnel('other.example')];
  cut.on('error', () => {});
  const gone = once(cut, 'close');
  door.setPolicy({ rules: [rule('allowed.example', tlsPort)] });
  await gone;
  kept.write(get('/', 'allowed.example', closing));
  expect(await readAll(kept)).toContain('secure allowed.example');
  expect(await readAll(knock(door, connectTo(`other.example:${tlsPort}`)))).toContain(' 403 ');
});

test('the host of an ecosystem may lie in a special range, but never where metadata services live', async () => {
  const ecosystems: EcosystemSource = {
    facts: async () => ({
      hosts: async () => [
        { host: 'mirror.example', port: tlsPort },
        { host: '127.0.0.1', port: tlsPort },
      ],
      env: {},
    }),
  };
  const all = { ecosystems, refusedRanges: defaultRefusedRanges };
  const inner = makeDoor([{ ecosystem: 'npm' }], all);
  expect(await readUntil(knock(inner, connectTo(`mirror.example:${tlsPort}`)), '\r\n\r\n')).toContain('200');
  expect(await readUntil(knock(inner, connectTo(`127.0.0.1:${tlsPort}`)), '\r\n\r\n')).toContain('200');
  expect(await readAll(knock(inner, connectTo(`mirror.example:${plainPort}`)))).toContain(' 403 ');
  const bad = makeDoor([{ ecosystem: 'npm' }], { ...all, resolve: async () => ['169.254.169.254'] });
  expect(await readAll(knock(bad, connectTo(`mirror.example:${tlsPort}`)))).toContain(' 403 ');
  const unasked = makeDoor([rule('allowed.example', 443)], all);
  expect(await readAll(knock(unasked, connectTo(`mirror.example:${tlsPort}`)))).toContain(' 403 ');
});

test('repeated refusals are recorded once', async () => {
  const door = makeDoor([]);
  for (let turn = 0; turn < 5; turn += 1) await readAll(knock(door, connectTo('a.example:443')));
  await readAll(knock(door, connectTo('b.example:443')));
  expect(decisions.map(({ host }) => host)).toEqual(['a.example', 'b.example']);
});

test('a tunnel that held back its first bytes until the policy closed gets nothing out', async () => {
  const door = makeDoor([rule('allowed.example', tlsPort)]);
  const inside = knock(door, connectTo(`allowed.example:${tlsPort}`));
  expect(await readUntil(inside, '\r\n\r\n')).toContain('200');
  door.setPolicy({ rules: [] });
  expect(await tlsOver(inside, 'allowed.example', cert)).toBeInstanceOf(Error);
});

test('a request whose name was still being resolved when the policy closed does not go out', async () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<string[]>();
  const door = makeDoor([rule('allowed.example', plainPort)], {
    resolve: () => {
      asked.resolve();
      return answer.promise;
    },
  });
  const inside = knock(
    door,
    get(`http://allowed.example:${plainPort}/late`, `allowed.example:${plainPort}`, closing),
  );
  await asked.promise;
  door.setPolicy({ rules: [] });
  answer.resolve(['127.0.0.1']);
  expect(await readAll(inside)).toMatch(/^HTTP\/1.1 403 /);
  expect(seen).toEqual([]);
});

test('a registry that cannot be found out allows nothing, and harms nobody before somebody asks', async () => {
  const ecosystems: EcosystemSource = {
    facts: async () => ({ hosts: () => Promise.reject(new Error('no index')), env: {} }),
  };
  const door = makeDoor([{ ecosystem: 'pip' }], { ecosystems });
  await new Promise((resolve) => setImmediate(resolve));
  expect(await readAll(knock(door, connectTo('allowed.example:443')))).not.toContain(' 200 ');
});
