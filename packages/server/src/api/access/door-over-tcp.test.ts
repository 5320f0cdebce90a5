import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testDatabase } from '../../testing/database.ts';
import { signInWorld, type SignInWorld } from '../../testing/sign-in-world.ts';
import { listenApi } from '../listen-api.ts';

const database = testDatabase();
const secret = 'a secret that only the proxy knows';
let world: SignInWorld;
let port: number;
beforeAll(async () => {
  world = signInWorld(database.db, {
    signIn: { trustedHeader: { secret: '${env:PROXY}' } },
    groups: [{ name: 'ops', claims: ['ops'], role: 'maintainer' }],
  });
  world.secrets['${env:PROXY}'] = secret;
  port = Number(new URL(await listenApi(world.app, { host: '127.0.0.1', port: 0 })).port);
});
afterAll(() => world.close());

const proof = [`X-Berth-Proxy-Secret: ${secret}`, 'X-Forwarded-Email: anna@example.com'];

/** Bytes as they are written here, none of them made right by a client; answers the status and the code. */
async function ask(lines: readonly string[], first = 'GET /api/v1/me HTTP/1.1', body = ''): Promise<string> {
  const text = await new Promise<string>((resolve, reject) => {
    let seen = '';
    const socket = connect(port, '127.0.0.1', () => {
      socket.write([first, ...lines, 'Connection: close', '', body].join('\r\n'));
    });
    socket.on('data', (data) => {
      seen += data.toString();
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(seen));
  });
  const code = /"code":"(\w+)"/.exec(text)?.[1];
  return [/^HTTP\/1\.1 (\d+)/.exec(text)?.[1], ...(code === undefined ? [] : [code])].join(' ');
}

const host = 'Host: 127.0.0.1:7420';

test('headers of a proxy that came twice are not joined into rights', async () => {
  expect(await ask([host, ...proof, 'X-Forwarded-Groups: dev'])).toBe('200');
  for (const twice of [
    ['X-Forwarded-Groups: ops', 'X-Forwarded-Groups: dev'],
    ['X-Forwarded-Groups: ops', 'x-forwarded-GROUPS: dev'],
    ['X-Forwarded-Email: root@example.com'],
    ['X-Forwarded-User: root', 'X-Forwarded-User: anna'],
  ]) {
    expect(await ask([host, ...proof, ...twice])).toBe('401 PROXY_REFUSED');
  }
});

test('a Host header that is ours stands alone, and is one', async () => {
  expect(await ask([host, ...proof])).toBe('200');
  for (const given of [
    ['Host: 127.0.0.1:7420', 'Host: evil.example'],
    ['Host: evil.example', 'Host: 127.0.0.1:7420'],
    ['Host: 127.0.0.1:99999'],
    ['Host: [::1]:65536'],
    ['Host: user@127.0.0.1:7420'],
    ['Host: localhost.:7420'],
    ['Host: 127.0.0.1:7420.evil.example'],
    ['Host: 0.0.0.0:7420'],
    ['Host: '],
  ]) {
    expect(await ask([...given, ...proof])).toBe('403 HOST_REFUSED');
  }
});

test('requests that two readers could cut differently are refused', async () => {
  const post = 'POST /api/v1/tasks HTTP/1.1';
  for (const lengths of [
    ['Content-Length: 4', 'Transfer-Encoding: chunked'],
    ['Content-Length: 4', 'Content-Length: 5'],
    ['Transfer-Encoding : chunked'],
    ['Content-Length: +4'],
  ]) {
    expect(await ask([host, ...lengths], post, '0\r\n\r\n')).toMatch(/^400/);
  }
});

test('connections and the time for headers are bounded', () => {
  expect(world.app.server.maxConnections).toBeGreaterThan(0);
  expect(world.app.server.headersTimeout).toBeLessThanOrEqual(20_000);
});
