import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { authorityOf, hostHeaderNames, normalHost, type Target } from './hosts.ts';
import { proxyAuthorization, type Route, type Router } from './upstream.ts';

export type PlainTarget =
  | { readonly ok: true; readonly target: Target; readonly path: string }
  | {
      readonly ok: false;
      readonly status: 400 | 403;
      readonly reason: string;
      readonly target: Target | null;
    };

/**
 * Where a plain request goes. `pinned` is the tunnel it came through (then it has origin form); without one it
 * must have absolute form. The `Host` header must name the same place, once: two hosts in one request is how one
 * is checked and another reached.
 */
export function plainTarget(request: IncomingMessage, pinned: Target | null): PlainTarget {
  const url = request.url ?? '';
  const fail = (status: 400 | 403, reason: string, target: Target | null = pinned): PlainTarget => ({
    ok: false,
    status,
    reason,
    target,
  });
  let target = pinned;
  let path = url;
  if (pinned === null || !url.startsWith('/')) {
    const parsed = URL.parse(url);
    if (parsed === null || parsed.host === '')
      return fail(400, 'a proxy request needs an absolute http:// address');
    if (parsed.protocol !== 'http:') return fail(400, `${parsed.protocol}// needs a tunnel (CONNECT)`);
    // The raw spelling, since URL would turn 127.1 or 0x7f.1 into an address that a rule does not name.
    const raw = /^http:\/\/(?:[^/?#@]*@)?(\[[^\]]*\]|[^:/?#]*)/i.exec(url)?.[1] ?? '';
    const host = normalHost(raw);
    if (host === null || host !== normalHost(parsed.hostname))
      return fail(400, 'the host is not a plain name');
    target = { host, port: parsed.port === '' ? 80 : Number(parsed.port) };
    if (pinned !== null && (pinned.host !== target.host || pinned.port !== target.port)) {
      return fail(403, `the tunnel is for ${pinned.host}, but the request asks for ${target.host}`);
    }
    path = `${parsed.pathname}${parsed.search}`;
  }
  if (target === null) return fail(400, 'the request names no host');
  const hosts = request.rawHeaders.filter(
    (_, at) => at % 2 === 0 && request.rawHeaders[at]!.toLowerCase() === 'host',
  );
  if (hosts.length !== 1) return fail(400, 'a request needs exactly one Host header', target);
  const header = request.headers.host ?? '';
  if (!hostHeaderNames(header, target, 80)) {
    const shown = /^[\x21-\x7e]{1,260}$/.test(header) ? header : 'something else';
    return fail(403, `the request is for ${target.host}, but its Host header names ${shown}`, target);
  }
  return { ok: true, target, path };
}

/** Meant for the next hop only (RFC 9110, 7.6.1), or for a proxy: never passed on. */
const hopHeaders: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** End-to-end headers in their order and spelling, as `[name, value, name, value …]`. */
export function endToEndHeaders(raw: readonly string[], connection: string | undefined): string[] {
  const named = new Set((connection ?? '').split(',').map((name) => name.trim().toLowerCase()));
  const kept: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase();
    // `Host` cannot be dropped by naming it in `Connection`: the check above would have been for nothing.
    if (hopHeaders.has(name) || (named.has(name) && name !== 'host')) continue;
    kept.push(raw[at]!, raw[at + 1]!);
  }
  return kept;
}

/** Starts the same request on a connection of its own to the checked route. The body is the caller's to pipe. */
export async function startUpstream(options: {
  readonly request: IncomingMessage;
  readonly target: Target;
  readonly path: string;
  readonly route: Route;
  readonly router: Router;
  readonly upgrade: boolean;
  readonly headerBytes: number;
  readonly signal: AbortSignal;
}): Promise<ClientRequest> {
  const { request, target, route, router, signal } = options;
  const throughProxy = route.via === 'proxy';
  const socket = throughProxy
    ? await router.openProxy(route.proxy, target, signal)
    : await router.open(route, target, signal);
  const headers = endToEndHeaders(request.rawHeaders, request.headers.connection);
  if (options.upgrade) headers.push('Connection', 'Upgrade', 'Upgrade', request.headers.upgrade ?? '');
  else headers.push('Connection', 'close');
  if (throughProxy) for (const pair of Object.entries(proxyAuthorization(route.proxy))) headers.push(...pair);
  // Node frames a body anew when the length is unknown; without this a chunked request would lose its body.
  if (request.headers['transfer-encoding'] !== undefined) headers.push('Transfer-Encoding', 'chunked');
  return httpRequest({
    createConnection: () => socket,
    method: request.method ?? 'GET',
    path: throughProxy ? `http://${authorityOf(target)}${options.path}` : options.path,
    headers,
    setHost: false,
    maxHeaderSize: options.headerBytes,
    signal,
  });
}
