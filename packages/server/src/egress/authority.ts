import {
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import { isIP } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { ipv6Bytes } from './addresses.ts';
import type { Clock } from '../domain/ports/clock.ts';
import { der, distinguishedName, extension, extensionIds, signedCertificate } from '@berth/protocol';

/** Signs for the hosts that one sandbox talks to where its traffic is inspected. Lives in the worker's memory alone. */
export interface EgressAuthority {
  /** The certificate that programs inside have to trust, PEM. */
  readonly certificate: string;
  /** What a TLS server needs to be `host` for this sandbox. */
  contextFor(host: string): SecureContext;
}

/** Bytes of the secret from which the authorities of an installation are derived. */
export const authoritySeedBytes = 32;

/** Of the authority: longer than any sandbox lives, paused ones included. Programs take at most 398 days for leaves. */
const authorityLifeMs = 365 * 24 * 60 * 60_000;
const leafLifeMs = 7 * 24 * 60 * 60_000;
/** Clocks inside and outside are one, but programs may run under a faked time of yesterday. */
const leewayMs = 24 * 60 * 60_000;
/** A sandbox can ask for any name below `*.example.org`: the oldest context makes room. One takes about 20 KiB. */
export const cachedContexts = 128;

/** Order of P-256 (FIPS 186-5, SP 800-186). */
const groupOrder = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/**
 * The authority of one sandbox. Its key follows from the installation's secret and the sandbox's id, so that a worker
 * that takes the sandbox over signs with the same key and nothing secret has to be stored or handed over. Without the
 * same secret nothing inside trusts what is signed: connections fail, none passes unread.
 * @param seed `authoritySeedBytes` of the installation's, or random ones where no other process will ever take over.
 */
export function createEgressAuthority(
  seed: Uint8Array,
  sandboxId: string,
  clock: Pick<Clock, 'nowMs'>,
): EgressAuthority {
  if (seed.length < authoritySeedBytes) throw new RangeError('the seed of an authority is too short');
  const key = derivedKey(seed, sandboxId);
  const publicKey = spkiOf(createPublicKey(key));
  const keyId = createHash('sha256').update(publicKey).digest().subarray(0, 20);
  const issuer = distinguishedName(`Berth sandbox ${keyId.toString('hex').slice(0, 16)}`);
  const madeMs = clock.nowMs();
  const certificate = signedCertificate(key, {
    issuer,
    subject: issuer,
    subjectKey: publicKey,
    notBeforeMs: madeMs - leewayMs,
    notAfterMs: madeMs + authorityLifeMs,
    extensions: [
      extension(
        extensionIds.basicConstraints,
        true,
        // No authorities below it.
        der.sequence(der.boolean(true), der.integer(Buffer.from([0]))),
      ),
      // keyCertSign
      extension(extensionIds.keyUsage, true, der.bitString(Buffer.from([0x04]), 2)),
      extension(extensionIds.subjectKeyIdentifier, false, der.octetString(keyId)),
    ],
  });
  // One key for all leaves: they are shown to the same sandbox by the same process.
  const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const leafPublic = spkiOf(leaf.publicKey);
  const leafPem = leaf.privateKey.export({ type: 'pkcs8', format: 'pem' });
  const contexts = new Map<string, { readonly context: SecureContext; readonly renewMs: number }>();

  const leafFor = (host: string, nowMs: number): string =>
    signedCertificate(key, {
      issuer,
      // Common names hold 64 characters; what counts is the alternative name.
      subject: distinguishedName(host.length <= 64 ? host : 'Berth sandbox'),
      subjectKey: leafPublic,
      notBeforeMs: nowMs - leewayMs,
      notAfterMs: nowMs + leafLifeMs,
      extensions: [
        extension(extensionIds.basicConstraints, true, der.sequence()),
        // digitalSignature
        extension(extensionIds.keyUsage, true, der.bitString(Buffer.from([0x80]), 7)),
        extension(extensionIds.extendedKeyUsage, false, der.sequence(der.oid('1.3.6.1.5.5.7.3.1'))),
        extension(extensionIds.authorityKeyIdentifier, false, der.sequence(der.implicitBytes(0, keyId))),
        extension(extensionIds.subjectAltName, false, der.sequence(alternativeName(host))),
      ],
    });

  return {
    certificate,
    contextFor(host) {
      const nowMs = clock.nowMs();
      const known = contexts.get(host);
      contexts.delete(host);
      const entry =
        known !== undefined && nowMs < known.renewMs
          ? known
          : {
              context: createSecureContext({
                key: leafPem,
                cert: leafFor(host, nowMs),
                minVersion: 'TLSv1.2',
              }),
              renewMs: nowMs + leafLifeMs / 2,
            };
      contexts.set(host, entry);
      if (contexts.size > cachedContexts) contexts.delete(contexts.keys().next().value!);
      return entry.context;
    },
  };
}

function alternativeName(host: string): Buffer {
  if (isIP(host) === 6) return der.implicitBytes(7, ipv6Bytes(host));
  if (isIP(host) === 0) return der.implicitText(2, host);
  return der.implicitBytes(7, Buffer.from(host.split('.').map(Number)));
}

/** A private key on P-256 that follows from seed and name. 48 bytes make the bias of the remainder negligible. */
function derivedKey(seed: Uint8Array, sandboxId: string): KeyObject {
  const bytes = Buffer.from(hkdfSync('sha256', seed, 'berth egress authority', sandboxId, 48));
  const scalar = (BigInt(`0x${bytes.toString('hex')}`) % (groupOrder - 1n)) + 1n;
  const secret = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex');
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(secret);
  const point = curve.getPublicKey();
  const text = (part: Buffer): string => part.toString('base64url');
  return createPrivateKey({
    format: 'jwk',
    key: {
      kty: 'EC',
      crv: 'P-256',
      d: text(secret),
      x: text(point.subarray(1, 33)),
      y: text(point.subarray(33, 65)),
    },
  });
}

function spkiOf(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}
