import { createPublicKey, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import * as der from './der.ts';

/** Object identifiers of the extensions that we write (RFC 5280, 4.2.1). */
export const extensionIds = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
} as const;

const commonName = '2.5.4.3';

/** What a certificate says. Subject, issuer, key and extensions as DER. */
export interface CertificateBody {
  readonly issuer: Buffer;
  readonly subject: Buffer;
  /** SubjectPublicKeyInfo. */
  readonly subjectKey: Buffer;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly extensions: readonly Buffer[];
  /** Absent: 16 random bytes. */
  readonly serial?: Buffer;
}

/**
 * Signs a certificate (X.509 v3), as PEM.
 * @param key The issuer's: Ed25519, or ECDSA on P-256.
 * @throws Error for any other key
 */
export function signedCertificate(key: KeyObject, body: CertificateBody): string {
  const { id, digest } = signatureAlgorithm(key);
  const signed = der.sequence(
    der.explicit(0, der.integer(Buffer.from([2]))),
    der.integer(body.serial ?? randomBytes(16)),
    id,
    body.issuer,
    der.sequence(der.time(body.notBeforeMs), der.time(body.notAfterMs)),
    body.subject,
    body.subjectKey,
    der.explicit(3, der.sequence(...body.extensions)),
  );
  return certificatePem(der.sequence(signed, id, der.bitString(sign(digest, signed, key))));
}

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

/** Signs a certificate between our own processes. Returns PEM. @throws Error for a key that is neither Ed25519 nor P-256 */
export function signCertificate(facts: CertificateFacts): string {
  return signedCertificate(facts.signingKey, {
    issuer: distinguishedName(facts.issuer),
    subject: distinguishedName(facts.subject),
    subjectKey: createPublicKeyOf(facts.subjectKey).export({ type: 'spki', format: 'der' }),
    notBeforeMs: facts.notBeforeMs,
    notAfterMs: facts.notAfterMs,
    extensions: facts.extensions,
  });
}

/** The extensions that our certificates use. */
export const extensions = {
  authority: () => extension(extensionIds.basicConstraints, true, der.sequence(der.boolean(true))),
  notAuthority: () => extension(extensionIds.basicConstraints, true, der.sequence()),
  mayCertify: () => extension(extensionIds.keyUsage, true, der.bitString(Buffer.from([0x04]), 2)),
  maySign: () => extension(extensionIds.keyUsage, true, der.bitString(Buffer.from([0x80]), 7)),
  purpose: (purpose: keyof typeof purposes) =>
    extension(extensionIds.extendedKeyUsage, true, der.sequence(der.oid(purposes[purpose]))),
  uri: (uri: string) => extension(extensionIds.subjectAltName, false, der.sequence(der.implicitText(6, uri))),
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

/** A name of one part, its common name. */
export function distinguishedName(name: string): Buffer {
  return der.sequence(der.set(der.sequence(der.oid(commonName), der.utf8(name))));
}

export function extension(id: string, isCritical: boolean, value: Buffer): Buffer {
  const critical = isCritical ? [der.boolean(true)] : [];
  return der.sequence(der.oid(id), ...critical, der.octetString(value));
}
