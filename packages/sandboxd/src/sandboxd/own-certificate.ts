import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { certificateLineWord, extensions, sandboxdUri, signCertificate } from '@berth/protocol';

/** Who this sandboxd is on TCP. The key exists in this process's memory only. */
export interface OwnCertificate {
  readonly certificatePem: string;
  readonly keyPem: string;
  /** The first line of the log, without its end. */
  readonly line: string;
}

/**
 * Makes a key and its self-signed Ed25519 certificate. It is valid at all times: the worker compares it byte for byte
 * and it ends with this process, so a wrong clock need not matter.
 */
export function makeOwnCertificate(podUid: string): OwnCertificate {
  const pair = generateKeyPairSync('ed25519');
  const certificatePem = signCertificate({
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
      extensions.uri(sandboxdUri(podUid)),
    ],
  });
  return {
    certificatePem,
    keyPem: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    line: `${certificateLineWord} ${new X509Certificate(certificatePem).raw.toString('base64')}`,
  };
}
