import { execFileSync } from 'node:child_process';
import { X509Certificate, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, property, uint8Array } from 'fast-check';
import { expect, test } from 'vitest';
import type { EgressRule } from '../domain/egress.ts';
import { decisions, makeDoor } from '../testing/egress-door.ts';
import { makeCertificate } from '../testing/egress-world.ts';
import {
  ask,
  authority,
  http1Server,
  inspecting,
  listening,
  realClock,
  through,
} from '../testing/inspected-door.ts';
import { cachedContexts, createEgressAuthority } from './authority.ts';
import { HpackDecoder, hpackBlock, HpackError } from './hpack.ts';
import { javaTrustStore } from './trust-store.ts';

const server = http1Server((_request, response) => response.end('fine'));
const port = await listening(server);
const rules: EgressRule[] = [
  { host: 'allowed.example', ports: [port], contents: 'inspect' },
  { host: 'elsewhere.example', ports: [port], contents: 'inspect' },
];

test('a worker that takes over makes the same authority, and another sandbox or installation another one', () => {
  const seed = randomBytes(32);
  const keyOf = (certificate: string) =>
    new X509Certificate(certificate).publicKey.export({ format: 'jwk' }).x;
  const first = createEgressAuthority(seed, 'sandbox-a', realClock);
  const after = createEgressAuthority(seed, 'sandbox-a', realClock);
  expect(keyOf(after.certificate)).toBe(keyOf(first.certificate));
  expect(new X509Certificate(after.certificate).subject).toBe(new X509Certificate(first.certificate).subject);
  expect(keyOf(createEgressAuthority(seed, 'sandbox-b', realClock).certificate)).not.toBe(
    keyOf(first.certificate),
  );
  expect(keyOf(createEgressAuthority(randomBytes(32), 'sandbox-a', realClock).certificate)).not.toBe(
    keyOf(first.certificate),
  );
  expect(() => createEgressAuthority(randomBytes(8), 'sandbox-a', realClock)).toThrow(RangeError);
});

test('what a sandbox trusted before the take-over is trusted after it', async () => {
  const seed = randomBytes(32);
  const before = createEgressAuthority(seed, 'sandbox-a', realClock).certificate;
  const after = makeDoor(rules, {
    ...inspecting,
    authority: createEgressAuthority(seed, 'sandbox-a', realClock),
  });
  const socket = await through(after, 'allowed.example', port, { ca: before });
  expect((await ask(socket, { host: `allowed.example:${port}` })).body).toBe('fine');
  const foreign = makeDoor(rules, {
    ...inspecting,
    authority: createEgressAuthority(randomBytes(32), 'sandbox-a', realClock),
  });
  await expect(through(foreign, 'allowed.example', port, { ca: before })).rejects.toThrow(
    /certificate|signature|closed/i,
  );
});

test('OpenSSL takes the certificates in its strict mode', () => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-ca-'));
  try {
    writeFileSync(join(directory, 'ca.pem'), authority.certificate);
    const text = execFileSync('openssl', [
      'verify',
      '-x509_strict',
      '-CAfile',
      join(directory, 'ca.pem'),
      join(directory, 'ca.pem'),
    ]);
    expect(text.toString()).toContain('OK');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('a flood of names keeps a bounded number of contexts, and the used ones stay', () => {
  const own = createEgressAuthority(randomBytes(32), 'flooded', realClock);
  const first = own.contextFor('kept.example');
  for (let turn = 0; turn < cachedContexts * 2; turn += 1) {
    own.contextFor(`name-${turn}.example`);
    if (turn % 50 === 0) expect(own.contextFor('kept.example')).toBe(first);
  }
  const gone = own.contextFor('name-0.example');
  expect(own.contextFor('name-0.example')).toBe(gone);
});

test('a hello for another host is refused before the server hears of it', async () => {
  const door = makeDoor(rules, inspecting);
  await expect(through(door, 'allowed.example', port, { servername: 'other.example' })).rejects.toThrow(
    /alert|closed|disconnected/i,
  );
  expect(decisions).toMatchObject([{ allowed: false }]);
  expect(decisions[0]!.reason).toContain('names other.example');
});

test('a server is not believed that is signed by nobody, or is another', async () => {
  const host = `allowed.example:${port}`;
  const unknown = makeDoor(rules, { authority, trusted: [] });
  const answer = await ask(await through(unknown, 'allowed.example', port), { host });
  expect(answer).toMatchObject({ status: 502 });
  expect(answer.body).toContain('signed by nobody whom the worker trusts');
  const other = makeDoor(rules, inspecting);
  const wrong = await ask(await through(other, 'elsewhere.example', port), {
    host: `elsewhere.example:${port}`,
  });
  expect(wrong).toMatchObject({ status: 502 });
  expect(wrong.body).toContain('for another name');
  const self = makeCertificate(['allowed.example']);
  const trap = makeDoor(rules, { authority, trusted: [self.cert] });
  expect((await ask(await through(trap, 'allowed.example', port), { host })).status).toBe(502);
});

test('a trust store for Java has what OpenSSL reads as PKCS #12', () => {
  const store = javaTrustStore(authority.certificate.repeat(3));
  const read = execFileSync('openssl', ['pkcs12', '-nokeys', '-nomacver', '-passin', 'pass:'], {
    input: store,
  });
  expect(read.toString().match(/BEGIN CERTIFICATE/g)).toHaveLength(3);
});

test('header compression gives back what was written, and hostile blocks end in an error', () => {
  const list = [':method', 'GET', 'x-long', 'v'.repeat(5_000), 'cookie', 'a=b'];
  expect(new HpackDecoder(32_768).read(hpackBlock(list, true))).toEqual(list);
  // RFC 7541, C.4.1: Huffman, and an entry that is kept.
  const decoder = new HpackDecoder(32_768);
  decoder.read(Buffer.from('828684418cf1e3c2e5f23a6ba0ab90f4ff', 'hex'));
  expect(decoder.read(Buffer.from('828684be5886a8eb10649cbf', 'hex'))).toEqual([
    ':method',
    'GET',
    ':scheme',
    'http',
    ':path',
    '/',
    ':authority',
    'www.example.com',
    'cache-control',
    'no-cache',
  ]);
  assert(
    property(uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        new HpackDecoder(4_096).read(Buffer.from(bytes));
      } catch (error) {
        if (!(error instanceof HpackError)) throw error;
      }
    }),
    { numRuns: 500 },
  );
});
