import { createHmac } from 'node:crypto';
import type { Principal } from '../../domain/access.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { IncomingRequest } from '../authenticator.ts';
import { ownOrigin, type Place } from './place.ts';
import { sameSecret } from './secret.ts';

export const csrfHeader = 'x-berth-csrf';

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Value that a page must send with whatever changes something. Bound to the session, or to the person where a proxy
 * says who they are: a page of another site cannot know it. Pure.
 */
export function csrfValue(key: string, principal: Principal): string {
  const bound = principal.sessionId ?? `${principal.via}:${principal.id}`;
  return createHmac('sha256', key).update(`csrf\n${bound}`).digest('base64url');
}

/**
 * Refuses what a page of another site caused, for requests whose credential a browser adds by itself (cookie, proxy).
 * Reading: anything but a navigation. Changing, and opening a WebSocket: unless the browser says that the page is ours.
 * @throws BerthError `HOST_REFUSED`, `CROSS_SITE_REFUSED`
 */
export function assertOwnSite(place: Place, request: IncomingRequest): void {
  const { headers } = request;
  const own = ownOrigin(place, headers.host);
  if (own === null) throw new BerthError('HOST_REFUSED');
  const site = headers['sec-fetch-site'];
  if (!isUnsafe(request)) {
    const isForeign = site === 'cross-site' || site === 'same-site';
    if (isForeign && headers['sec-fetch-mode'] !== 'navigate') throw new BerthError('CROSS_SITE_REFUSED');
    return;
  }
  const { origin } = headers;
  const says = origin !== undefined || site !== undefined;
  const agrees = (origin === undefined || origin === own) && (site === undefined || site === 'same-origin');
  if (!says || !agrees) throw new BerthError('CROSS_SITE_REFUSED');
}

/** @throws BerthError `CSRF_REFUSED` when a request that changes something lacks the value, or has another's */
export function assertCsrf(key: string, principal: Principal, request: IncomingRequest): void {
  // A WebSocket cannot carry the header: there the origin alone decides.
  if (safeMethods.has(request.method)) return;
  const given = request.headers[csrfHeader];
  if (typeof given !== 'string' || !sameSecret(given, csrfValue(key, principal))) {
    throw new BerthError('CSRF_REFUSED');
  }
}

function isUnsafe({ method, headers }: IncomingRequest): boolean {
  return !safeMethods.has(method) || headers.upgrade !== undefined;
}
