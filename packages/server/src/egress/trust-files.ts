import { rootCertificates } from 'node:tls';
import type { EgressAuthority } from './authority.ts';
import { javaTrustStore } from './trust-store.ts';

/** Names of the files that make programs inside trust the sandbox's authority, in a directory of their own. */
export const trustFileNames = {
  /** Everybody that is trusted, PEM. */
  bundle: 'bundle.pem',
  /** The same for Java, PKCS #12. */
  java: 'java.p12',
} as const;

/**
 * The contents of those files. Nothing in them is secret.
 * @param systemBundle The system's own authorities (PEM): those of the image that the programs are from. Null where it
 *   has none: then those that Node carries count, so that hosts that are not inspected can be verified.
 */
export function trustFiles(
  systemBundle: string | null,
  authority: Pick<EgressAuthority, 'certificate'>,
): ReadonlyMap<string, Uint8Array> {
  const system = systemBundle ?? rootCertificates.join('\n');
  const bundle = `${authority.certificate}${system.trimEnd()}\n`;
  return new Map<string, Uint8Array>([
    [trustFileNames.bundle, Buffer.from(bundle)],
    [trustFileNames.java, javaTrustStore(bundle)],
  ]);
}
