import type { Config, SignInConfig } from '../../domain/config/index.ts';
import { BerthError } from '../../domain/errors/index.ts';

/** Where this server is reached, as far as decisions about browsers need it. */
export interface Place {
  /** Listens on loopback alone. */
  readonly isLoopback: boolean;
  readonly publicUrl: URL | null;
}

const loopbackHosts = /^(localhost|127(\.\d{1,3}){3}|\[::1\]|::1)$/;

/** @param listen `host:port` that is really listened on, where it is not the configuration's */
export function placeOf(server: Config['server'], listen = server.listen): Place {
  return {
    isLoopback: isLoopbackListen(listen),
    publicUrl: server.publicUrl === undefined ? null : new URL(server.publicUrl),
  };
}

/** Whether only this machine reaches `host:port`. */
export function isLoopbackListen(listen: string): boolean {
  return loopbackHosts.test(listen.replace(/:\d+$/, '').toLowerCase());
}

/** Whether a `Host` header is one of the names of loopback, at any port. */
export function isLoopbackName(host: string | undefined): boolean {
  return /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i.test(host ?? '');
}

/**
 * Origin (`https://berth.example.com`) of the pages that may act at this `Host`; null when the header does not name
 * this server: a foreign name was bound to its address (DNS rebinding). Pure.
 */
export function ownOrigin(place: Place, host: string | undefined): string | null {
  if (host === undefined || !/^[A-Za-z0-9.:[\]-]{1,255}$/.test(host)) return null;
  const { publicUrl } = place;
  if (publicUrl !== null && hostOf(publicUrl.protocol, host) === publicUrl.host) return publicUrl.origin;
  if (!place.isLoopback || !isLoopbackName(host)) return null;
  // A port beyond 65535 is no address.
  return URL.canParse(`http://${host}`) ? new URL(`http://${host}`).origin : null;
}

/** As URLs write it: lower case, without the port that goes without saying. */
function hostOf(protocol: string, host: string): string | null {
  return URL.canParse(`${protocol}//${host}`) ? new URL(`${protocol}//${host}`).host : null;
}

/**
 * Refuses to listen where others reach the server but nobody could be told apart: there is no anonymous mode.
 * @param server section of the configuration, with the address really listened on
 * @throws BerthError `LISTEN_REFUSED` with what to configure
 */
export function assertListenAllowed(server: Config['server'], signIn: SignInConfig): void {
  const { isLoopback, publicUrl } = placeOf(server);
  if (isLoopback) return;
  const missing: string[] = [];
  if (!hasWayIn(signIn)) missing.push('one of signIn.oidc, signIn.cloudflareAccess and signIn.trustedHeader');
  if (publicUrl?.protocol !== 'https:') missing.push('server.publicUrl with https (cookies need TLS)');
  if (missing.length === 0) return;
  throw new BerthError('LISTEN_REFUSED', `Berth does not listen on ${server.listen}: others reach it.`, {
    next: `Set ${missing.join(', and ')}; or listen on 127.0.0.1.`,
    details: { listen: server.listen, missing },
  });
}

function hasWayIn({ oidc, cloudflareAccess, trustedHeader }: SignInConfig): boolean {
  return oidc !== undefined || cloudflareAccess !== undefined || trustedHeader !== undefined;
}
