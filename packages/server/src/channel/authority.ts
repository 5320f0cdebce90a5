import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { extensions, longestIdentityMs, podUidPattern, signCertificate, workerUri } from '@berth/protocol';
import { BerthError } from '../domain/errors/index.ts';
import type { Clock } from '../domain/ports/clock.ts';

/** Who the worker is to one sandboxd: good for one pod, one epoch and a short time. PEM; it stays in memory. */
export interface ChannelIdentity {
  readonly podUid: string;
  readonly epoch: number;
  readonly certificatePem: string;
  readonly keyPem: string;
}

/** Holds the installation's channel key: it exists in the control namespace only. */
export interface ChannelAuthority {
  /** For the pod's spec: what sandboxd believes. Not a secret. */
  readonly publicKeyPem: string;
  /**
   * A certificate with a key of its own, for connections to one pod.
   * @param request.lifetimeMs a connection outlives its certificate, so minutes are enough; at most 15 of them
   */
  clientIdentity(request: {
    readonly podUid: string;
    readonly epoch: number;
    readonly lifetimeMs: number;
  }): ChannelIdentity;
}

export const channelKeyFile = 'channel.key';

/**
 * Opens the channel key: an Ed25519 or P-256 private key.
 * @param source the directory that holds it as `channel.key` (made when missing, mode 0600), or the key itself
 * @param clock dates certificates
 * @throws BerthError `CHANNEL_KEY_UNSAFE`
 */
export function openChannelAuthority(
  source: { readonly directory: string } | { readonly keyPem: string },
  clock: Pick<Clock, 'nowMs'>,
): ChannelAuthority {
  const key = 'keyPem' in source ? parseKey(source.keyPem) : readKey(source.directory);
  const publicKey = createPublicKey(key);
  const fingerprint = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
  const issuer = `Berth channel ${fingerprint.slice(0, 16)}`;
  return {
    publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    clientIdentity({ podUid, epoch, lifetimeMs }) {
      if (!podUidPattern.test(podUid) || !Number.isSafeInteger(epoch) || epoch < 0) {
        throw new BerthError(
          'INTERNAL',
          'A channel certificate was asked for a pod or epoch that cannot be.',
        );
      }
      if (!(lifetimeMs > 0 && lifetimeMs <= longestIdentityMs)) {
        throw new BerthError('INTERNAL', 'A channel certificate lives for at most 15 minutes.');
      }
      const pair = generateKeyPairSync('ed25519');
      const nowMs = clock.nowMs();
      const certificatePem = signCertificate({
        issuer,
        signingKey: key,
        subject: 'Berth worker',
        subjectKey: pair.publicKey,
        notBeforeMs: nowMs,
        notAfterMs: nowMs + lifetimeMs,
        extensions: [
          extensions.notAuthority(),
          extensions.maySign(),
          extensions.purpose('client'),
          extensions.uri(workerUri(podUid, epoch)),
        ],
      });
      const keyPem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      return { podUid, epoch, certificatePem, keyPem };
    },
  };
}

function parseKey(text: string): KeyObject {
  try {
    const key = createPrivateKey(text);
    const isP256 = key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
    if (key.asymmetricKeyType === 'ed25519' || (key.asymmetricKeyType === 'ec' && isP256)) return key;
  } catch {
    // Said below, without the parser's words: they may quote the key.
  }
  throw new BerthError('CHANNEL_KEY_UNSAFE', 'The channel key is no Ed25519 or P-256 private key.');
}

function readKey(directory: string): KeyObject {
  const path = join(directory, channelKeyFile);
  const descriptor = openOrMake(directory, path);
  try {
    const stat = fstatSync(descriptor);
    // A mounted Secret belongs to root and is readable by the group of the process: others must not read it.
    if (!stat.isFile() || (stat.mode & 0o007) !== 0) {
      throw new BerthError('CHANNEL_KEY_UNSAFE', `The channel key ${path} can be read by others.`);
    }
    return parseKey(readFileSync(descriptor, 'utf8'));
  } finally {
    closeSync(descriptor);
  }
}

function openOrMake(directory: string, path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) {
      throw new BerthError('CHANNEL_KEY_UNSAFE', `The channel key ${path} cannot be read.`, { cause: error });
    }
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { privateKey } = generateKeyPairSync('ed25519');
  const own = `${path}.${randomBytes(6).toString('hex')}`;
  writeFileSync(own, privateKey.export({ type: 'pkcs8', format: 'pem' }), { flag: 'wx', mode: 0o600 });
  try {
    // Whole or not at all, also when two processes start at once: the first link counts.
    linkSync(own, path);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  } finally {
    rmSync(own, { force: true });
  }
  return openSync(path, 'r');
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
