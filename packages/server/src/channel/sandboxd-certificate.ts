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
  const { certificate, podUid } = check(raw);
  return {
    podUid,
    certificatePem: certificate.toString(),
    raw,
    fingerprint: createHash('sha256').update(raw).digest('hex'),
  };
}

function check(raw: Buffer): { readonly certificate: X509Certificate; readonly podUid: string } {
  try {
    const certificate = new X509Certificate(raw);
    const why = flawOf(certificate, raw);
    const podUid = readSandboxdName(certificate.subjectAltName);
    if (why === null && podUid !== null) return { certificate, podUid };
    throw refused(why ?? 'it names no pod');
  } catch (error) {
    // Keys are parsed late: any part of it can be no certificate after all.
    throw error instanceof BerthError ? error : refused('it is no certificate');
  }
}

function flawOf(certificate: X509Certificate, raw: Buffer): string | null {
  // What follows the certificate would be ignored by the parser, and by nobody who compares.
  if (!certificate.raw.equals(raw)) return 'there is more than a certificate';
  const key = certificate.publicKey;
  if (key.asymmetricKeyType !== 'ed25519') return 'its key is not Ed25519';
  if (certificate.ca) return 'it could sign others';
  if (certificate.keyUsage?.length !== 1 || certificate.keyUsage[0] !== purposes.server)
    return 'it is not for a server';
  if (certificate.issuer !== certificate.subject || !certificate.verify(key)) return 'it is not self-signed';
  return null;
}

function refused(why: string): BerthError {
  return new BerthError(
    'SANDBOX_CERTIFICATE',
    `The sandbox did not say who it is as it must: in the first line of its log, ${why}.`,
  );
}
