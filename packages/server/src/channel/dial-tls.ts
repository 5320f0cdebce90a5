import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { handshakeMs, processTime } from '@berth/protocol';
import type { ChannelTime } from '@berth/protocol';
import { BerthError } from '../domain/errors/index.ts';
import type { ChannelIdentity } from './authority.ts';
import type { PinnedCertificate } from './sandboxd-certificate.ts';

export interface DialTlsOptions {
  /** Opens the bytes: TCP to the pod, or a port-forward. Called once; what it returns is ended with the channel. */
  readonly connect: (signal: AbortSignal) => Promise<Duplex>;
  /** Whom to speak to. */
  readonly pinned: PinnedCertificate;
  /** Who we are; for the same pod. */
  readonly identity: ChannelIdentity;
  /** Gives up dialling; an open connection is not ended by it. */
  readonly signal: AbortSignal;
  readonly time?: ChannelTime;
  /** Tests shorten it. Milliseconds. */
  readonly withinMs?: number;
}

/**
 * Connects to sandboxd over TLS 1.3, as the client. The peer must show exactly the pinned certificate. sandboxd looks
 * at ours afterwards: a refusal is seen as an end of the connection, or in what it says on the channel.
 * @throws BerthError `SANDBOX_UNREACHABLE`, `SANDBOX_CERTIFICATE`; the signal's reason
 */
export async function dialTls(options: DialTlsOptions): Promise<Duplex> {
  const { pinned, identity, signal, time = processTime, withinMs = handshakeMs } = options;
  signal.throwIfAborted();
  if (pinned.podUid !== identity.podUid) {
    throw new BerthError('SANDBOX_CERTIFICATE', 'The certificate of the sandbox names another pod.');
  }
  const late = new AbortController();
  const dialled = new AbortController();
  time.sleep(withinMs, dialled.signal).then(
    () => late.abort(new Error(`no TLS connection within ${withinMs} ms`)),
    () => {},
  );
  const stop = AbortSignal.any([signal, late.signal]);
  try {
    const transport = await untilStopped(options.connect(stop), stop);
    return await shakeHands(transport, pinned, identity, stop);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof BerthError) throw error;
    throw new BerthError('SANDBOX_UNREACHABLE', undefined, { cause: error });
  } finally {
    dialled.abort(new Error('dialled'));
  }
}

/** A connection that comes too late is ended, and nobody waits for one that ignores its signal. */
function untilStopped(connecting: Promise<Duplex>, stop: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(stop.reason as Error);
    stop.addEventListener('abort', leave, { once: true });
    connecting.then((transport) => {
      stop.removeEventListener('abort', leave);
      if (stop.aborted) transport.on('error', () => {}).destroy();
      else resolve(transport);
    }, reject);
  });
}

function shakeHands(
  transport: Duplex,
  pinned: PinnedCertificate,
  identity: ChannelIdentity,
  stop: AbortSignal,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      socket: transport,
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      ca: pinned.certificatePem,
      cert: identity.certificatePem,
      key: identity.keyPem,
      // Pods have no names; what counts is the certificate itself.
      servername: '',
      checkServerIdentity: () => undefined,
    });
    const fail = (error: Error): void => {
      stop.removeEventListener('abort', leave);
      socket.destroy();
      transport.destroy();
      reject(error);
    };
    const leave = (): void => fail(stop.reason as Error);
    const closed = (): void => fail(new Error('the connection ended during the TLS hand-shake'));
    stop.addEventListener('abort', leave, { once: true });
    transport.on('error', () => {});
    socket.on('error', (error) => fail(handshakeError(error)));
    socket.once('close', closed);
    socket.once('secureConnect', () => {
      // The chain was checked against it already; only the very same bytes will do.
      if (!pinned.raw.equals(socket.getPeerCertificate().raw ?? Buffer.alloc(0))) {
        fail(anotherCertificate());
        return;
      }
      stop.removeEventListener('abort', leave);
      socket.off('close', closed);
      if ('setNoDelay' in transport && typeof transport.setNoDelay === 'function') transport.setNoDelay(true);
      resolve(socket);
    });
  });
}

/** What OpenSSL says when the peer's certificate is not the one it was given. */
const certificateCodes = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
]);

function handshakeError(error: Error): Error {
  return 'code' in error && certificateCodes.has(String(error.code)) ? anotherCertificate(error) : error;
}

function anotherCertificate(cause?: Error): BerthError {
  return new BerthError(
    'SANDBOX_CERTIFICATE',
    'Who answered at the address of the sandbox has another certificate than the log of the sandbox named.',
    cause === undefined ? {} : { cause },
  );
}
