import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApi } from '../packages/server/src/api/create-api.ts';
import { listenApi } from '../packages/server/src/api/listen-api.ts';
import { systemClock } from '../packages/server/src/domain/clock.ts';
import { defaultRefusedRanges } from '../packages/server/src/egress/index.ts';
import { createAuthority } from '../packages/server/src/internal/authority.ts';
import { listenInternally } from '../packages/server/src/internal/listener.ts';
import { bubblewrapIsMissing, testDriver } from '../packages/server/src/testing/bubblewrap.ts';
import { listen } from '../packages/server/src/testing/egress-world.ts';
import { FakeControlPlane } from '../packages/server/src/testing/fake-control-plane.ts';
import { fakeSpec } from '../packages/server/src/testing/fake-sandbox.ts';
import { nodeInside } from './isolation/harness.ts';

/** Ways a program inside can ask the door for `host:port`: a tunnel, a plain request, SOCKS. Prints one line each. */
const everyWay = `
const net = require('net');
const ask = (name, first, read) => new Promise((done) => {
  const s = net.connect(3128, '127.0.0.1'); let seen = Buffer.alloc(0); let step = 0;
  s.setTimeout(20000, () => { console.log(name, 'silent'); s.destroy(); });
  s.on('connect', () => s.write(first[0]));
  s.on('data', (d) => { seen = Buffer.concat([seen, d]); const said = read(seen, step);
    if (said === 'next') { step += 1; seen = Buffer.alloc(0); s.write(first[step]); } else if (said) { console.log(name, said); s.destroy(); } });
  s.on('error', (e) => console.log(name, e.code)); s.on('close', done);
});
const line = (d) => d.includes('\\r\\n') && d.toString().split('\\r\\n')[0];
(async () => {
  for (const place of process.argv.slice(1)) {
    const [host, port] = [place.slice(0, place.lastIndexOf(':')), Number(place.split(':').at(-1))];
    await ask('tunnel ' + place, ['CONNECT ' + place + ' HTTP/1.1\\r\\nHost: ' + place + '\\r\\n\\r\\n'], line);
    await ask('plain ' + place, ['GET http://' + place + '/api/v1/me HTTP/1.1\\r\\nHost: ' + place + '\\r\\n\\r\\n'], line);
    const h = Buffer.from(host); const p = Buffer.alloc(2); p.writeUInt16BE(port);
    await ask('socks ' + place, [Buffer.from([5, 1, 0]), Buffer.concat([Buffer.from([5, 1, 0, 3, h.length]), h, p])],
      (d, step) => (step === 0 ? 'next' : 'reply ' + d[1]));
  }
})();`;

/** Connects to sockets of the file system, and prints which of them it reached. */
const reachFiles = `
for (const path of process.argv.slice(1)) {
  const s = require('net').connect(path);
  s.on('connect', () => { console.log('reached', path); s.destroy(); });
  s.on('error', () => {});
}`;

describe.skipIf(bubblewrapIsMissing)(
  'the control plane, asked from a sandbox (bwrap is not installed)',
  () => {
    const home = mkdtempSync(join(tmpdir(), 'berth-own-'));
    const own = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .filter(({ internal }) => !internal)
      .map(({ address }) => address);
    /** What a name resolves to is its first label: the attacker has a DNS zone that says so. */
    const zone: Readonly<Record<string, string>> = {
      loopback: '127.0.0.1',
      six: '::1',
      mapped: '::ffff:127.0.0.1',
      zero: '0.0.0.0',
      translated: '64:ff9b::7f00:1',
      ...Object.fromEntries(own.map((address, place) => [`own${place}`, address])),
    };
    const resolve = async (host: string) => [zone[host.split('.')[0] ?? ''] ?? '192.0.2.1'];
    const closed = testDriver({ egress: { resolve, proxyEnv: {} } });
    const open = testDriver({
      egress: {
        resolve,
        proxyEnv: {},
        refusedRanges: defaultRefusedRanges.filter((range) => range !== '127.0.0.0/8'),
      },
    });
    const app = createApi(new FakeControlPlane(), {
      principal: 'tester',
      token: 'a token for this test alone',
    });
    const local = createApi(new FakeControlPlane(), { principal: 'tester' });
    let internal: Awaited<ReturnType<typeof listenInternally>>;
    let database: Server;
    let ports: { api: number; internal: number; database: number };
    let socketPath: string;
    let connections = 0;

    beforeAll(async () => {
      chmodSync(home, 0o711);
      const api = Number(new URL(await listenApi(app, { host: '127.0.0.1', port: 0 })).port);
      socketPath = await listenApi(local, { socketPath: join(home, 'api.sock') });
      internal = await listenInternally({
        authority: createAuthority(generateKeyPairSync('ed25519').privateKey, systemClock),
        host: '127.0.0.1',
        port: 0,
        routes: {},
        health: { live: () => ({ ok: true, checks: [] }), ready: async () => ({ ok: true, checks: [] }) },
      });
      // Where DATABASE_URL points: what counts is whether anybody comes in.
      database = createServer((socket) => socket.end());
      ports = { api, internal: internal.port, database: await listen(database as never) };
      for (const server of [app.server, local.server, database]) {
        server.on('connection', () => {
          connections += 1;
        });
      }
    });
    afterAll(async () => {
      await app.close();
      await local.close();
      await internal.close();
      database.close();
      await closed.cleanUp();
      await open.cleanUp();
      rmSync(home, { recursive: true, force: true });
    });

    const rules = () => [{ host: '*.attacker.example', ports: Object.values(ports) }];
    const places = () =>
      Object.keys(zone).flatMap((name) =>
        Object.values(ports).map((port) => `${name}.attacker.example:${port}`),
      );

    test('the way that is tried here does reach what it may', async () => {
      const sandbox = await open.driver.create(
        fakeSpec({ egress: { rules: rules() } }),
        AbortSignal.timeout(120_000),
      );
      const found = await nodeInside(sandbox, everyWay, `loopback.attacker.example:${ports.api}`);
      expect(found).toContain(`plain loopback.attacker.example:${ports.api} HTTP/1.1 4`);
      expect(found).toContain(`socks loopback.attacker.example:${ports.api} reply 0`);
      expect(connections).toBeGreaterThan(0);
      expect(execFileSync(process.execPath, ['-e', reachFiles, socketPath]).toString()).toContain('reached');
    });

    test('no rule for names leads to the API, the internal address or the database, whatever they resolve to', async () => {
      const sandbox = await closed.driver.create(
        fakeSpec({ egress: { rules: rules() } }),
        AbortSignal.timeout(120_000),
      );
      const before = connections;
      const found = await nodeInside(sandbox, everyWay, ...places());
      const lines = found.trim().split('\n');
      // Real addresses of this machine may be public ones, where nothing of this test listens: 502.
      expect(lines.filter((line) => !/ HTTP\/1\.1 (403|502) | reply [1-9]/.test(line))).toEqual([]);
      expect(lines.filter((line) => !line.includes('own')).filter((line) => line.includes(' 502 '))).toEqual(
        [],
      );
      expect(lines).toHaveLength(3 * places().length);
      expect(connections).toBe(before);
    });

    test('neither are they there without the door, nor is the socket of the API or of the database a file inside', async () => {
      const sandbox = await closed.driver.create(fakeSpec(), AbortSignal.timeout(120_000));
      const before = connections;
      const direct = `
      for (const place of process.argv.slice(1)) {
        const s = require('net').connect({ host: place.slice(0, place.lastIndexOf(':')), port: Number(place.split(':').at(-1)) });
        s.setTimeout(5000, () => s.destroy());
        s.on('connect', () => console.log('reached', place)); s.on('error', () => {});
      }`;
      const addresses = Object.values(ports).flatMap((port) => [`127.0.0.1:${port}`, `::1:${port}`]);
      expect(await nodeInside(sandbox, direct, ...addresses)).toBe('');
      expect(await nodeInside(sandbox, reachFiles, socketPath, join(home, '.s.PGSQL.5432'))).toBe('');
      expect(connections).toBe(before);
    });
  },
);
