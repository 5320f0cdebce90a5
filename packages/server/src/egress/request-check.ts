import { hostHeaderNames, type Target } from './hosts.ts';

/** Headers as they came: `[name, value, name, value …]`. */
export type RawHeaders = readonly string[];

/** One request of an inspected connection, whichever protocol it came by. */
export interface InspectedRequest {
  readonly method: string;
  /** Origin form, query included. */
  readonly path: string;
  /** Without pseudo headers. */
  readonly headers: RawHeaders;
  readonly hasBody: boolean;
  readonly upgrade: boolean;
}

/** Why a request is not passed on; 400: it could be read in two ways, 403: it is for another place. */
export interface Objection {
  readonly status: 400 | 403;
  readonly reason: string;
}

/** Values of one header, in their order. */
export function valuesOf(headers: RawHeaders, name: string): string[] {
  return headers.filter((_, at) => at % 2 === 1 && headers[at - 1]!.toLowerCase() === name);
}

/** What `Connection` may say: another name there makes a proxy drop the header of this name. */
const connectionOptions: ReadonlySet<string> = new Set([
  'keep-alive',
  'close',
  'upgrade',
  'te',
  'http2-settings',
  'proxy-connection',
]);

/**
 * Headers that some servers take in place of method, path or framing: what was judged would not be what is done. With
 * `_` for `-`, since gateways to CGI and its heirs make one of both.
 */
const replacingHeaders: ReadonlySet<string> = new Set([
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-url',
  'x-rewrite-url',
  'x-original-host',
  'x-forwarded-host',
  'x-host',
]);
const framingHeaders: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding', 'host']);

/** Refuses what servers and proxies are known to read differently (RFC 9112, 11.2). Pure. */
export function objectionTo(request: InspectedRequest): Objection | null {
  if (!/^\/[\x21-\x7e]*$/.test(request.path) || request.path.includes('#'))
    return malformed('its target is not a plain path');
  for (let at = 0; at < request.headers.length; at += 2) {
    const name = request.headers[at]!.toLowerCase();
    const plain = name.replaceAll('_', '-');
    if (replacingHeaders.has(plain)) return malformed(`the header ${name} can replace what was judged`);
    if (name !== plain && framingHeaders.has(plain))
      return malformed(`the header ${name} can be read as ${plain}`);
  }
  return null;
}

/** The same for what only HTTP/1.1 has; `request` as Node's strict parser took it. Pure. */
export function http1Objection(
  request: { readonly httpVersion: string; readonly headers: RawHeaders; readonly path: string },
  target: Target,
): Objection | null {
  const { headers } = request;
  if (request.httpVersion !== '1.1') return malformed('only HTTP/1.1 and HTTP/2 are inspected');
  if (!request.path.startsWith('/')) return malformed('its target is not a path (absolute form)');
  const hosts = valuesOf(headers, 'host');
  if (hosts.length !== 1) return malformed('a request needs exactly one Host header');
  const encodings = valuesOf(headers, 'transfer-encoding');
  const lengths = valuesOf(headers, 'content-length');
  if (encodings.length + lengths.length > 1 || encodings.some((value) => value.toLowerCase() !== 'chunked'))
    return malformed('its length can be read in more than one way');
  if (lengths.some((value) => !/^\d{1,15}$/.test(value))) return malformed('its length is malformed');
  const options = valuesOf(headers, 'connection').flatMap((value) => value.toLowerCase().split(','));
  const odd = options
    .map((option) => option.trim())
    .find((option) => option !== '' && !connectionOptions.has(option));
  if (odd !== undefined) return malformed('its Connection header names another header');
  return wrongHost(hosts[0]!, target, 'Host header');
}

/** The same for what only HTTP/2 has. `pseudo`: the headers whose name begins with a colon. Pure. */
export function http2Objection(
  request: { readonly pseudo: ReadonlyMap<string, string>; readonly headers: RawHeaders },
  target: Target,
): Objection | null {
  const { pseudo, headers } = request;
  if (pseudo.has(':protocol') || pseudo.get(':method') === 'CONNECT')
    return malformed('CONNECT is not served on an inspected connection');
  if (pseudo.get(':scheme') !== 'https') return malformed('its scheme is not https');
  const authority = pseudo.get(':authority');
  if (authority === undefined) return malformed('a request needs an :authority');
  const hosts = valuesOf(headers, 'host');
  if (hosts.length > 1) return malformed('a request needs at most one Host header');
  if (hosts.length === 1 && hosts[0]!.toLowerCase() !== authority.toLowerCase())
    return malformed('its Host header and its :authority differ');
  if (valuesOf(headers, 'content-length').length > 1)
    return malformed('its length can be read in more than one way');
  return wrongHost(authority, target, ':authority');
}

function wrongHost(header: string, target: Target, what: string): Objection | null {
  if (hostHeaderNames(header, target, 443)) return null;
  const shown = /^[\x21-\x7e]{1,260}$/.test(header) ? header : 'something else';
  return { status: 403, reason: `the connection is for ${target.host}, but its ${what} names ${shown}` };
}

function malformed(reason: string): Objection {
  return { status: 400, reason };
}
