import { createPublicKey } from 'node:crypto';
import type { KeyObject, X509Certificate } from 'node:crypto';
import { clockSkewMs, longestIdentityMs, purposes, readWorkerName } from '@berth/protocol';

export interface WorkerExpectation {
  /** The installation's key. */
  readonly channelKey: KeyObject;
  readonly podUid: string;
  readonly nowMs: number;
}

export type WorkerVerdict =
  | { readonly kind: 'worker'; readonly epoch: number }
  | { readonly kind: 'refused'; readonly why: string };

const refused = (why: string): WorkerVerdict => ({ kind: 'refused', why });

/**
 * Whether a client's certificate makes it a worker of this pod: signed by the installation's key, for a client, for
 * this pod, and in its short validity. TLS has proved by now that the client has the certificate's key.
 */
export function judgeWorker(
  certificate: X509Certificate | undefined,
  expected: WorkerExpectation,
): WorkerVerdict {
  if (certificate === undefined) return refused('no certificate');
  if (!certificate.verify(expected.channelKey)) return refused('not signed by the channel key');
  if (certificate.ca) return refused('a certificate that could sign others');
  if (certificate.keyUsage?.length !== 1 || certificate.keyUsage[0] !== purposes.client)
    return refused('not for a client');
  const name = readWorkerName(certificate.subjectAltName);
  if (name === null) return refused('no name of a worker');
  if (name.podUid !== expected.podUid) return refused('for another pod');
  const fromMs = Date.parse(certificate.validFrom);
  const untilMs = Date.parse(certificate.validTo);
  if (Number.isNaN(fromMs) || !(untilMs - fromMs <= longestIdentityMs)) return refused('valid for too long');
  if (expected.nowMs < fromMs - clockSkewMs) return refused('not valid yet');
  if (!(expected.nowMs <= untilMs + clockSkewMs)) return refused('expired');
  return { kind: 'worker', epoch: name.epoch };
}

/** Reads `--channel-key`: a public key in PEM, in base64. @throws Error */
export function readChannelKey(base64: string): KeyObject {
  const pem = Buffer.from(base64, 'base64').toString('latin1');
  if (!pem.startsWith('-----BEGIN PUBLIC KEY-----')) throw new Error('--channel-key: expected a public key');
  const key = createPublicKey(pem);
  const isP256 = key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  if (key.asymmetricKeyType !== 'ed25519' && !isP256)
    throw new Error('--channel-key: expected an Ed25519 or P-256 key');
  return key;
}
