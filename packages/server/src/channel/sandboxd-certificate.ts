import { createHash, X509Certificate } from 'node:crypto';
import { certificateLineWord, purposes, readSandboxdName } from '@berth/protocol';
import { BerthError } from '../domain/errors/index.ts';

/** sandboxd's certificate as its log said it: the worker speaks to whoever has its key, and to nobody else. */
export interface PinnedCertificate {
  readonly podUid: string;
  readonly certificatePem: string;
  /** The certificate byte for byte. */
  readonly raw: Buffer;
  /** SHA-256 of `raw`, lower-case hexadecimal. */
  readonly fingerprint: string;
}

/** An Ed25519 certificate of ours has about 360 bytes. */
const longestLine = 1024;
const form = new RegExp(`^${certificateLineWord} ([A-Za-z0-9+/]{200,960}={0,2})$`);

/**
 * Reads the first line of sandboxd's log, without its line end. Strict: an exact form, one canonical encoding, a
 * self-signed Ed25519 server certificate that names a pod and nothing else.
 * @throws BerthError `SANDBOX_CERTIFICATE` for anything else
 */
export function readCertificateLine(line: string): PinnedCertificate {
  const base64 = line.length <= longestLine ? form.exec(line)?.[1] : undefined;
  if (base64 === undefined) throw refused('the line has another form');
  const raw = Buffer.from(base64, 'base64');
  if (raw.toString('base64') !== base64) throw refused('the encoding is not canonical');
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(raw);
  } catch {
    throw refused('it is no certificate');
  }
  // What follows the certificate would be ignored by the parser, and by nobody who compares.
  if (!certificate.raw.equals(raw)) throw refused('there is more than a certificate');
  const key = certificate.publicKey;
  if (key.asymmetricKeyType !== 'ed25519') throw refused('its key is not Ed25519');
  if (certificate.ca) throw refused('it could sign others');
  if (certificate.keyUsage?.length !== 1 || certificate.keyUsage[0] !== purposes.server)
    throw refused('it is not for a server');
  if (certificate.issuer !== certificate.subject || !certificate.verify(key))
    throw refused('it is not self-signed');
  const podUid = readSandboxdName(certificate.subjectAltName);
  if (podUid === null) throw refused('it names no pod');
  return {
    podUid,
    certificatePem: certificate.toString(),
    raw,
    fingerprint: createHash('sha256').update(raw).digest('hex'),
  };
}

function refused(why: string): BerthError {
  return new BerthError(
    'SANDBOX_CERTIFICATE',
    `The sandbox did not say who it is as it must: in the first line of its log, ${why}.`,
  );
}
