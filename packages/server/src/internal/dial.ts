import { type ClientOptions, WebSocket } from 'ws';
import { BerthError } from '../domain/errors/index.ts';
import { type Authority, type InternalName, subjectAltName } from './authority.ts';
import { maxMessageBytes } from './listener.ts';

const connectTimeoutMs = 5_000;
/** A certificate for one connection need not outlast its hand-shake by much. */
const dialLifeMs = 10 * 60_000;

/** Opens streams to other processes of this installation, under the name of this one. */
export type Dial = (
  url: string,
  expected: InternalName,
  path: string,
  query: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<WebSocket>;

/**
 * Connects only to the very process that is expected: its certificate has to name it, so that an address that somebody
 * else has meanwhile, or that a dead worker left behind, is not believed.
 */
export function dialAs(authority: Authority, self: InternalName): Dial {
  return async (url, expected, path, query, signal) => {
    signal.throwIfAborted();
    const address = new URL(path, url.replace(/^https:/, 'wss:'));
    address.search = new URLSearchParams(query).toString();
    const options: ClientOptions & { readonly servername: string } = {
      ...authority.issue(self, dialLifeMs),
      ca: authority.ca,
      minVersion: 'TLSv1.3',
      rejectUnauthorized: true,
      // Names are ids of leases and not of hosts.
      servername: '',
      checkServerIdentity: identityCheck(expected),
      handshakeTimeout: connectTimeoutMs,
      maxPayload: maxMessageBytes,
      perMessageDeflate: false,
    };
    const socket = new WebSocket(address, options);
    const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
    const leave = (): void => socket.terminate();
    signal.addEventListener('abort', leave, { once: true });
    socket.once('open', () => resolve(socket));
    socket.once('close', () => signal.removeEventListener('abort', leave));
    socket.on('error', (error) => {
      reject(signal.aborted ? (signal.reason as Error) : unreachable(error));
      socket.terminate();
    });
    return promise;
  };
}

/** Handed on to `tls.connect`, which wants an error or nothing; the types of `ws` say boolean. */
function identityCheck(expected: InternalName): NonNullable<ClientOptions['checkServerIdentity']> {
  const check = (_host: string, certificate: { readonly subjectaltname?: string }): Error | undefined =>
    certificate.subjectaltname === subjectAltName(expected)
      ? undefined
      : new Error(`this is not ${expected.role} ${expected.id}`);
  return check as unknown as NonNullable<ClientOptions['checkServerIdentity']>;
}

function unreachable(cause: Error): BerthError {
  return new BerthError('OWNER_UNREACHABLE', `The owner of the run cannot be reached: ${cause.message}.`, {
    cause,
  });
}
