import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { certificateLineWord, extensions, sandboxdUri, signCertificate } from '@berth/protocol';
import type { CertificateFacts } from '@berth/protocol';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { BerthError } from '../domain/errors/index.ts';
import { readCertificateLine } from './sandboxd-certificate.ts';

const pair = generateKeyPairSync('ed25519');
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });

function line(over: Partial<CertificateFacts> = {}): string {
  const pem = signCertificate({
    issuer: 'Berth sandboxd',
    signingKey: pair.privateKey,
    subject: 'Berth sandboxd',
    subjectKey: pair.publicKey,
    notBeforeMs: Date.UTC(2000, 0, 1),
    notAfterMs: Date.UTC(9999, 11, 31),
    extensions: [
      extensions.notAuthority(),
      extensions.maySign(),
      extensions.purpose('server'),
      extensions.uri(sandboxdUri('11111111-2222-3333-4444-555555555555')),
    ],
    ...over,
  });
  return `${certificateLineWord} ${new X509Certificate(pem).raw.toString('base64')}`;
}

const good = line();
const [, base64] = good.split(' ') as [string, string];

test('a line as sandboxd prints it is read, with pod and fingerprint', () => {
  const pinned = readCertificateLine(good);
  expect(pinned.podUid).toBe('11111111-2222-3333-4444-555555555555');
  expect(pinned.fingerprint).toBe(
    new X509Certificate(pinned.certificatePem).fingerprint256.replaceAll(':', '').toLowerCase(),
  );
});

test.each<[string, string]>([
  ['nothing', ''],
  ['another word', `berth-sandboxd/2 ${base64}`],
  ['a line before it', `x\n${good}`],
  ['a line end', `${good}\n`],
  ['a space behind it', `${good} `],
  ['another key', line({ signingKey: p256.privateKey, subjectKey: p256.publicKey })],
  ['another signer', line({ signingKey: generateKeyPairSync('ed25519').privateKey })],
  ['another issuer', line({ issuer: 'Somebody' })],
  ['no pod', line({ extensions: [extensions.notAuthority(), extensions.purpose('server')] })],
  [
    'an authority',
    line({
      extensions: [extensions.authority(), extensions.purpose('server'), extensions.uri(sandboxdUri('pod'))],
    }),
  ],
  [
    'the purpose of a client',
    line({
      extensions: [
        extensions.notAuthority(),
        extensions.purpose('client'),
        extensions.uri(sandboxdUri('pod')),
      ],
    }),
  ],
  [
    'more than a certificate',
    `${certificateLineWord} ${Buffer.concat([Buffer.from(base64, 'base64'), Buffer.from('more')]).toString('base64')}`,
  ],
  ['a megabyte', `${certificateLineWord} ${'A'.repeat(1 << 20)}`],
])('a line with %s is refused', (_name, text) => {
  expect(() => readCertificateLine(text)).toThrow(
    expect.objectContaining({ code: 'SANDBOX_CERTIFICATE' }) as Error,
  );
});

test('any change of any byte is refused, with the code', () => {
  const raw = Buffer.from(base64, 'base64');
  fc.assert(
    fc.property(fc.nat(raw.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Buffer.from(raw);
      changed[at]! ^= change;
      try {
        readCertificateLine(`${certificateLineWord} ${changed.toString('base64')}`);
      } catch (error) {
        return error instanceof BerthError && error.code === 'SANDBOX_CERTIFICATE';
      }
      return false;
    }),
  );
});

test('whatever is read, nothing but the code comes out', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.base64String().map((text) => `${certificateLineWord} ${text}`),
      ),
      (text) => {
        try {
          readCertificateLine(text);
          return false;
        } catch (error) {
          return error instanceof BerthError && error.code === 'SANDBOX_CERTIFICATE';
        }
      },
    ),
  );
});
