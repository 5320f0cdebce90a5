import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../domain/clock.ts';
import { type Authority, createAuthority, type Credentials, type InternalName } from './authority.ts';
import { dialAs } from './dial.ts';
import { readInternalKey } from './internal-key.ts';
import { type InternalListener, listenInternally } from './listener.ts';

const worker: InternalName = { role: 'worker', id: 'w-1' };
const api: InternalName = { role: 'api', id: 'a-1' };
const never = new AbortController().signal;

let key: KeyObject;
let ours: Authority;
let listener: InternalListener;
let served: InternalName[];

beforeEach(async () => {
  key = generateKeyPairSync('ed25519').privateKey;
  ours = createAuthority(key, systemClock);
  served = [];
  // Another process with the same key: it has another certificate of the same authority.
  listener = await listenInternally({
    authority: createAuthority(createPrivateKey(key.export({ type: 'pkcs8', format: 'pem' })), systemClock),
    host: '127.0.0.1',
    port: 0,
    routes: {
      '/echo': (socket, query, peer) => {
        served.push(peer);
        socket.send(`hello ${query.get('name')}`);
      },
    },
    health: { live: () => ({ ok: true, checks: [] }), ready: async () => ({ ok: false, checks: [] }) },
  });
  listener.become(worker);
});
afterEach(async () => listener.close());

const url = (): string => `https://127.0.0.1:${listener.port}`;

async function hello(authority: Authority, self: InternalName, expected: InternalName): Promise<string> {
  const socket = await dialAs(authority, self)(url(), expected, '/echo', { name: 'x' }, never);
  return new Promise((resolve, reject) => {
    socket.once('message', (data: Buffer) => {
      resolve(data.toString());
      socket.terminate();
    });
    socket.once('close', () => reject(new Error('closed')));
  });
}

/** A plain TLS client that does not care who answers: the status it is answered by what it shows; null: not a word. */
function letIn(shown: Credentials | null): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({
      port: listener.port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ...shown,
    });
    let answered = '';
    socket.on('secureConnect', () =>
      socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'),
    );
    socket.on('data', (data: Buffer) => (answered += data.toString()));
    socket.on('error', () => resolve(statusOf(answered)));
    socket.on('close', () => resolve(statusOf(answered)));
  });
}

const statusOf = (answer: string): string | null => /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? null;

test('an API replica reaches the worker it expects, and both know whom they speak to', async () => {
  expect(await hello(ours, api, worker)).toBe('hello x');
  expect(served).toEqual([api]);
});

test('a certificate is what it says: short-lived, for one purpose, of our authority', () => {
  const certificate = new X509Certificate(ours.issue(worker).cert);
  expect(certificate.verify(new X509Certificate(ours.ca).publicKey)).toBe(true);
  expect(certificate.checkIssued(new X509Certificate(ours.ca))).toBe(true);
  expect(certificate.ca).toBe(false);
  expect(certificate.subjectAltName).toBe('URI:urn:berth:worker:w-1');
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  expect(certificate.validToDate.getTime() - Date.now()).toBeLessThanOrEqual(60 * 60_000);
});

test('nobody is let in without a certificate, with one of their own, or with one that ran out', async () => {
  const foreign = createAuthority(generateKeyPairSync('ed25519').privateKey, systemClock);
  const past = createAuthority(key, { nowMs: () => Date.now() - 3 * 60 * 60_000 });
  expect(await letIn(ours.issue(api))).toBe('200');
  expect(await letIn(null)).toBeNull();
  expect(await letIn(foreign.issue(api))).toBeNull();
  expect(await letIn(past.issue(api))).toBeNull();
  await expect(hello(foreign, api, worker)).rejects.toMatchObject({ code: 'OWNER_UNREACHABLE' });
});

test('a worker cannot ask: its certificate is none for asking', async () => {
  await expect(hello(ours, worker, worker)).rejects.toMatchObject({ code: 'OWNER_UNREACHABLE' });
  expect(served).toEqual([]);
});

test('who answers under another name than the owner of the run is not spoken to', async () => {
  await expect(hello(ours, api, { role: 'worker', id: 'w-2' })).rejects.toMatchObject({
    code: 'OWNER_UNREACHABLE',
  });
  // The lease was lost and a new one taken: the old name is dead at once.
  listener.become({ role: 'worker', id: 'w-3' });
  await expect(hello(ours, api, worker)).rejects.toMatchObject({ code: 'OWNER_UNREACHABLE' });
  expect(await hello(ours, api, { role: 'worker', id: 'w-3' })).toBe('hello x');
});

test('an API replica cannot pose as a worker', async () => {
  listener.become({ role: 'api', id: 'w-1' });
  await expect(hello(ours, api, worker)).rejects.toMatchObject({ code: 'OWNER_UNREACHABLE' });
});

test('there is nothing but the internal routes', async () => {
  for (const path of ['/', '/api/v1/runs', '/__proto__', '/echo/']) {
    await expect(dialAs(ours, api)(url(), worker, path, {}, never)).rejects.toMatchObject({
      code: 'OWNER_UNREACHABLE',
    });
  }
});

test('the key is made once, for its owner alone, and refused when others can read it or it is none', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-key-'));
  try {
    const path = join(directory, 'keys', 'internal.key');
    const keys = await Promise.all([readInternalKey(path, true), readInternalKey(path, true)]);
    expect(keys[0].equals(keys[1])).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    writeFileSync(join(directory, 'open'), key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o644 });
    await expect(readInternalKey(join(directory, 'open'), false)).rejects.toMatchObject({
      code: 'INTERNAL_KEY_UNSAFE',
    });
    writeFileSync(join(directory, 'none'), 'no key', { mode: 0o600 });
    await expect(readInternalKey(join(directory, 'none'), false)).rejects.toMatchObject({
      code: 'INTERNAL_KEY_UNSAFE',
    });
    await expect(readInternalKey(join(directory, 'missing'), false)).rejects.toMatchObject({
      code: 'INTERNAL_KEY_UNSAFE',
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
