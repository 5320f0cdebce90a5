import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../testing/manual-clock.ts';
import { channelKeyFile, openChannelAuthority } from './authority.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-authority-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const clock = new ManualClock();
const pem = (key: { export(options: { type: 'pkcs8'; format: 'pem' }): string | Buffer }): string =>
  key.export({ type: 'pkcs8', format: 'pem' }).toString();

test('the key is made once, for its owner only, and is the same afterwards', () => {
  const first = openChannelAuthority({ directory }, clock);
  expect(statSync(join(directory, channelKeyFile)).mode & 0o777).toBe(0o600);
  expect(openChannelAuthority({ directory }, clock).publicKeyPem).toBe(first.publicKeyPem);
  expect(first.publicKeyPem).toContain('PUBLIC KEY');
});

test.each([
  ['Ed25519', generateKeyPairSync('ed25519').privateKey],
  ['P-256', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey],
])('an identity is signed with an %s key and names pod, epoch and its short time', (_name, key) => {
  const authority = openChannelAuthority({ keyPem: pem(key) }, clock);
  const identity = authority.clientIdentity({ podUid: 'pod', epoch: 7, lifetimeMs: 60_000 });
  const certificate = new X509Certificate(identity.certificatePem);
  expect(certificate.verify(new X509Certificate(identity.certificatePem).publicKey)).toBe(false);
  expect(certificate.subjectAltName).toBe('URI:urn:berth:channel-worker:pod:7');
  expect(certificate.ca).toBe(false);
  expect(Date.parse(certificate.validTo) - Date.parse(certificate.validFrom)).toBe(60_000);
  expect(identity.certificatePem).not.toContain('PRIVATE');
});

test.each([
  ['a pod that cannot be', { podUid: 'a:b', epoch: 1, lifetimeMs: 1_000 }],
  ['no epoch', { podUid: 'pod', epoch: -1, lifetimeMs: 1_000 }],
  ['a long life', { podUid: 'pod', epoch: 1, lifetimeMs: 3_600_000 }],
  ['no life', { podUid: 'pod', epoch: 1, lifetimeMs: Number.NaN }],
])('nobody gets a certificate for %s', (_name, request) => {
  const authority = openChannelAuthority({ directory }, clock);
  expect(() => authority.clientIdentity(request)).toThrow(
    expect.objectContaining({ code: 'INTERNAL' }) as Error,
  );
});

test('a key that others can read, another kind of key and nonsense are refused', () => {
  const unsafe = expect.objectContaining({ code: 'CHANNEL_KEY_UNSAFE' }) as Error;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  for (const keyPem of [pem(rsa), 'nonsense', '']) {
    expect(() => openChannelAuthority({ keyPem }, clock)).toThrow(unsafe);
  }
  const file = join(directory, channelKeyFile);
  writeFileSync(file, pem(generateKeyPairSync('ed25519').privateKey));
  chmodSync(file, 0o644);
  expect(() => openChannelAuthority({ directory }, clock)).toThrow(unsafe);
});
