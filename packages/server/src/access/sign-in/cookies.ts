import type { IncomingRequest } from '../authenticator.ts';
import { isLoopbackName, type Place } from './place.ts';

/** A cookie as it came: `twice` when two of one name did, of which at least one is somebody else's. */
export type CookieRead = { readonly value: string } | 'none' | 'twice';

/**
 * Reads one cookie. Two of one name mean that another site of the same domain planted one (cookie tossing): which is
 * ours cannot be told. Pure.
 */
export function readCookie(header: string | undefined, name: string): CookieRead {
  const values = (header ?? '')
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part.startsWith(`${name}=`))
    .map((part) => part.slice(name.length + 1));
  const [value, second] = values;
  if (value === undefined) return 'none';
  return second === undefined ? { value } : 'twice';
}

/**
 * How cookies are set for a request. Browsers take `__Host-` cookies only from the host itself over TLS, so no sister
 * site can plant one; on plain http, which only loopback may speak, the prefix would make browsers drop it.
 */
export interface CookieStyle {
  readonly session: string;
  /** Before the name of each sign-in under way. */
  readonly login: string;
  readonly secure: boolean;
}

export function cookieStyle(place: Place, request: Pick<IncomingRequest, 'headers' | 'secure'>): CookieStyle {
  const isPlain = place.isLoopback && !request.secure && isLoopbackName(request.headers.host);
  return isPlain
    ? { session: 'berth', login: 'berth-login-', secure: false }
    : { session: '__Host-berth', login: '__Host-berth-login-', secure: true };
}

/** A `Set-Cookie` value; without `maxAgeMs` it lives as long as the browser, with 0 it is removed. */
export function writeCookie(name: string, value: string, style: CookieStyle, maxAgeMs?: number): string {
  return [
    `${name}=${value}`,
    'Path=/',
    'HttpOnly',
    'SameSite=Lax',
    ...(style.secure ? ['Secure'] : []),
    ...(maxAgeMs === undefined ? [] : [`Max-Age=${Math.floor(maxAgeMs / 1_000)}`]),
  ].join('; ');
}
