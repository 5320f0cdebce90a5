import { isIP, type Socket } from 'node:net';
import {
  connect as tlsConnect,
  createSecureContext,
  getCACertificates,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import { UpstreamError } from './upstream.ts';

/** What the worker speaks with the servers of inspected connections. */
export type HttpProtocol = 'h2' | 'http/1.1';

let ofThisMachine: readonly string[] | null = null;
const contexts = new Map<string, SecureContext>();
/** Lists that are remembered: the machine's own, and what the configuration adds, before and after a change of it. */
const rememberedContexts = 8;

/**
 * Whom the worker believes: the machine's authorities, Node's own with those of `NODE_EXTRA_CA_CERTS`, and `more` (PEM).
 * Reading and adding all of them takes some 50 ms, so each list is made once.
 */
export function trustedAuthorities(more: readonly string[] = []): SecureContext {
  const key = more.join('\n');
  const known = contexts.get(key);
  if (known !== undefined) return known;
  ofThisMachine ??= [...getCACertificates('default'), ...getCACertificates('system')];
  const context = createSecureContext({ ca: [...ofThisMachine, ...more], minVersion: 'TLSv1.2' });
  contexts.set(key, context);
  if (contexts.size > rememberedContexts) contexts.delete(contexts.keys().next().value!);
  return context;
}

/**
 * Begins TLS as the client of `host`, whose certificate must be valid for it, on a connection to a checked address.
 * @param protocols What to offer (ALPN); none: nothing is offered.
 * @throws UpstreamError
 */
export function secureUpstream(
  socket: Socket,
  host: string,
  options: {
    readonly protocols: readonly HttpProtocol[];
    readonly trust: SecureContext;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  },
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secure = tlsConnect({
      socket,
      // An address is no server name (RFC 6066); its certificate is checked all the same.
      ...(isIP(host) === 0 ? { servername: host } : { host }),
      ALPNProtocols: [...options.protocols],
      secureContext: options.trust,
      rejectUnauthorized: true,
    });
    const fail = (why: string, kind: 'untrusted' | 'unreachable' = 'unreachable'): void => {
      secure.destroy();
      socket.destroy();
      reject(new UpstreamError(kind, `no trusted TLS connection to ${host} could be made: ${why}`));
    };
    const onError = (error: Error): void => {
      const reason = reasonOf(error);
      fail(reason, reason.startsWith('its certificate') ? 'untrusted' : 'unreachable');
    };
    const onAbort = (): void => fail('the sandbox let go');
    const timer = setTimeout(() => fail('no answer in time'), options.timeoutMs);
    options.signal.addEventListener('abort', onAbort, { once: true });
    if (options.signal.aborted) onAbort();
    secure.once('error', onError);
    secure.once('secureConnect', () => {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', onAbort);
      secure.off('error', onError);
      // Whoever uses it hears of the end by `close`; an error without a listener would end the process.
      secure.on('error', () => secure.destroy());
      resolve(secure);
    });
    secure.once('close', () => {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', onAbort);
      reject(new UpstreamError('unreachable', `${host} closed the connection during the TLS handshake`));
    });
  });
}

/** What OpenSSL found wrong, for people. */
function reasonOf(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.message;
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return 'its certificate has expired';
    case 'CERT_NOT_YET_VALID':
      return 'its certificate is not valid yet';
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'CERT_SIGNATURE_FAILURE':
    case 'CERT_UNTRUSTED':
    case 'INVALID_CA':
    case 'INVALID_PURPOSE':
    case 'EE_KEY_TOO_SMALL':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return `its certificate is signed by nobody whom the worker trusts (${code})`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'its certificate is for another name';
    default:
      return code;
  }
}
