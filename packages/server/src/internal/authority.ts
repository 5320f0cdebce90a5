import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { extensions, signCertificate } from '@berth/protocol';
import type { Clock } from '../domain/ports/clock.ts';

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

/** A worker only answers, an API replica only asks: neither's certificate serves as the other's. */
const purposes = { worker: 'server', api: 'client' } as const;

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
  const issuer = `Berth internal ${createHash('sha256').update(spki).digest('hex').slice(0, 16)}`;
  const make = (subject: string, subjectKey: KeyObject, lifeMs: number, parts: readonly Buffer[]): string => {
    const nowMs = clock.nowMs();
    return signCertificate({
      issuer,
      signingKey: key,
      subject,
      subjectKey,
      notBeforeMs: nowMs - leewayMs,
      notAfterMs: nowMs + lifeMs,
      extensions: parts,
    });
  };
  return {
    ca: make(issuer, publicKey, caLifeMs, [extensions.authority(), extensions.mayCertify()]),
    issue(name, lifeMs = certificateLifeMs) {
      const pair = generateKeyPairSync('ed25519');
      const cert = make(`${name.role} ${name.id}`, pair.publicKey, lifeMs, [
        extensions.notAuthority(),
        extensions.maySign(),
        extensions.purpose(purposes[name.role]),
        extensions.uri(`urn:berth:${name.role}:${name.id}`),
      ]);
      return { key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert };
    },
  };
}
