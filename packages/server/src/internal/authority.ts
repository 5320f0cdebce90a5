import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import type { Clock } from '../domain/ports/clock.ts';
import * as der from './der.ts';

/** Who a process is to the others: a worker by the id of its lease, or an API replica by one of its own. */
export interface InternalName {
  readonly role: 'worker' | 'api';
  readonly id: string;
}

/** PEM; the key is as short-lived as the certificate and never leaves memory. */
export interface Credentials {
  readonly key: string;
  readonly cert: string;
}

/** Signs certificates with the installation's key. */
export interface Authority {
  /** What every replica with the same key believes, PEM. */
  readonly ca: string;
  issue(name: InternalName, lifeMs?: number): Credentials;
}

/** How long a certificate holds; a listener replaces its own at half of it. */
export const certificateLifeMs = 60 * 60_000;
/** Clocks of machines differ. */
const leewayMs = 5 * 60_000;
const caLifeMs = 365 * 24 * 60 * 60_000;

const ed25519 = der.sequence(der.oid('1.3.101.112'));
const commonName = '2.5.4.3';
/** A worker only answers, an API replica only asks: neither's certificate serves as the other's. */
const purposes = { worker: '1.3.6.1.5.5.7.3.1', api: '1.3.6.1.5.5.7.3.2' } as const;

/** How a name stands in a certificate, as Node prints it. */
export function subjectAltName({ role, id }: InternalName): string {
  return `URI:urn:berth:${role}:${id}`;
}

/** The name in a certificate that was verified; null when it is not one of ours. */
export function nameIn(subjectaltname: string | undefined): InternalName | null {
  const match = /^URI:urn:berth:(worker|api):([a-z0-9-]{1,64})$/.exec(subjectaltname ?? '');
  return match === null ? null : { role: match[1] as InternalName['role'], id: match[2]! };
}

/**
 * The certificate authority of an installation. Its own certificate is made anew in each process; what counts is the
 * key, from which the name follows.
 */
export function createAuthority(key: KeyObject, clock: Pick<Clock, 'nowMs'>): Authority {
  const publicKey = createPublicKey(key);
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const issuer = distinguishedName(
    `Berth internal ${createHash('sha256').update(spki).digest('hex').slice(0, 16)}`,
  );
  const make = (
    subject: Buffer,
    subjectKey: Buffer,
    lifeMs: number,
    extensions: readonly Buffer[],
  ): string => {
    const nowMs = clock.nowMs();
    const body = der.sequence(
      der.explicit(0, der.integer(Buffer.from([2]))),
      der.integer(randomBytes(16)),
      ed25519,
      issuer,
      der.sequence(der.time(nowMs - leewayMs), der.time(nowMs + lifeMs)),
      subject,
      subjectKey,
      der.explicit(3, der.sequence(...extensions)),
    );
    return pem(der.sequence(body, ed25519, der.bitString(sign(null, body, key))));
  };
  return {
    ca: make(issuer, spki, caLifeMs, [
      extension('2.5.29.19', true, der.sequence(der.boolean(true))),
      // keyCertSign
      extension('2.5.29.15', true, der.bitString(Buffer.from([0x04]), 2)),
    ]),
    issue(name, lifeMs = certificateLifeMs) {
      const pair = generateKeyPairSync('ed25519');
      const subject = distinguishedName(`${name.role} ${name.id}`);
      const cert = make(subject, pair.publicKey.export({ type: 'spki', format: 'der' }), lifeMs, [
        extension('2.5.29.19', true, der.sequence()),
        // digitalSignature
        extension('2.5.29.15', true, der.bitString(Buffer.from([0x80]), 7)),
        extension('2.5.29.37', true, der.sequence(der.oid(purposes[name.role]))),
        extension('2.5.29.17', false, der.sequence(der.implicitText(6, `urn:berth:${name.role}:${name.id}`))),
      ]);
      return { key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert };
    },
  };
}

function distinguishedName(name: string): Buffer {
  return der.sequence(der.set(der.sequence(der.oid(commonName), der.utf8(name))));
}

function extension(id: string, isCritical: boolean, value: Buffer): Buffer {
  const critical = isCritical ? [der.boolean(true)] : [];
  return der.sequence(der.oid(id), ...critical, der.octetString(value));
}

function pem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
