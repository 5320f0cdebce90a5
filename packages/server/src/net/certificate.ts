import { type KeyObject, randomBytes, sign } from 'node:crypto';
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

/** The signature algorithms of our keys, as certificates name them. */
const algorithms = {
  ed25519: { id: der.sequence(der.oid('1.3.101.112')), digest: null },
  // ecdsa-with-SHA256
  ec: { id: der.sequence(der.oid('1.2.840.10045.4.3.2')), digest: 'sha256' },
} as const;

/**
 * Signs a certificate (X.509 v3), as PEM.
 * @param key The issuer's: Ed25519, or ECDSA on P-256.
 */
export function signedCertificate(key: KeyObject, body: CertificateBody): string {
  const kind = key.asymmetricKeyType;
  if (kind !== 'ed25519' && kind !== 'ec') throw new TypeError(`no certificates are signed with ${kind}`);
  const { id, digest } = algorithms[kind];
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
  return pem(der.sequence(signed, id, der.bitString(sign(digest, signed, key))));
}

/** A name of one part, its common name. */
export function distinguishedName(name: string): Buffer {
  return der.sequence(der.set(der.sequence(der.oid(commonName), der.utf8(name))));
}

export function extension(id: string, isCritical: boolean, value: Buffer): Buffer {
  const critical = isCritical ? [der.boolean(true)] : [];
  return der.sequence(der.oid(id), ...critical, der.octetString(value));
}

function pem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** The certificates of a file as DER, in their order; whatever else stands in it is passed over. */
export function certificatesIn(text: string): Buffer[] {
  const found = text.matchAll(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----([^-]*)-----END/g);
  return [...found].map(([, body]) => Buffer.from(body!.replaceAll(/\s/g, ''), 'base64'));
}
