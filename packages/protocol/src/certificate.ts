import { createPublicKey, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import * as der from './der.ts';

/** What a certificate (X.509 v3) says. Names are a common name and one URI; there are no host names. */
export interface CertificateFacts {
  readonly issuer: string;
  /** Ed25519, or P-256. */
  readonly signingKey: KeyObject;
  readonly subject: string;
  readonly subjectKey: KeyObject;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Made by `extensions`. */
  readonly extensions: readonly Buffer[];
}

const commonName = '2.5.4.3';

/** Signs a certificate. Returns PEM. @throws Error for a key that is neither Ed25519 nor P-256 */
export function signCertificate(facts: CertificateFacts): string {
  const algorithm = signatureAlgorithm(facts.signingKey);
  const body = der.sequence(
    der.explicit(0, der.integer(Buffer.from([2]))),
    der.integer(randomBytes(16)),
    algorithm.id,
    distinguishedName(facts.issuer),
    der.sequence(der.time(facts.notBeforeMs), der.time(facts.notAfterMs)),
    distinguishedName(facts.subject),
    createPublicKeyOf(facts.subjectKey).export({ type: 'spki', format: 'der' }),
    der.explicit(3, der.sequence(...facts.extensions)),
  );
  const signature = sign(algorithm.digest, body, facts.signingKey);
  return certificatePem(der.sequence(body, algorithm.id, der.bitString(signature)));
}

/** The extensions that our certificates use. */
export const extensions = {
  authority: () => extension('2.5.29.19', true, der.sequence(der.boolean(true))),
  notAuthority: () => extension('2.5.29.19', true, der.sequence()),
  mayCertify: () => extension('2.5.29.15', true, der.bitString(Buffer.from([0x04]), 2)),
  maySign: () => extension('2.5.29.15', true, der.bitString(Buffer.from([0x80]), 7)),
  purpose: (purpose: keyof typeof purposes) =>
    extension('2.5.29.37', true, der.sequence(der.oid(purposes[purpose]))),
  uri: (uri: string) => extension('2.5.29.17', false, der.sequence(der.implicitText(6, uri))),
} as const;

/** Extended key usages, as a certificate names them. */
export const purposes = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const;

/** DER as PEM, in lines of 64 characters. */
export function certificatePem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function signatureAlgorithm(key: KeyObject): { readonly id: Buffer; readonly digest: string | null } {
  if (key.asymmetricKeyType === 'ed25519') return { id: der.sequence(der.oid('1.3.101.112')), digest: null };
  if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1')
    // ecdsa-with-SHA256
    return { id: der.sequence(der.oid('1.2.840.10045.4.3.2')), digest: 'sha256' };
  throw new Error('a certificate is signed with an Ed25519 or P-256 key');
}

function createPublicKeyOf(key: KeyObject): KeyObject {
  return key.type === 'public' ? key : createPublicKey(key);
}

function distinguishedName(name: string): Buffer {
  return der.sequence(der.set(der.sequence(der.oid(commonName), der.utf8(name))));
}

function extension(id: string, isCritical: boolean, value: Buffer): Buffer {
  const critical = isCritical ? [der.boolean(true)] : [];
  return der.sequence(der.oid(id), ...critical, der.octetString(value));
}
