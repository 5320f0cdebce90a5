import { lookup } from 'node:dns/promises';
import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { readAddress } from './addresses.ts';
import type { Allowed } from './decide-connection.ts';
import { authorityOf, isAddressLiteral, normalHost, type Target } from './hosts.ts';
import { isOwnAddress } from './own-addresses.ts';
import { compileRanges, neverReachedRanges, type RangeCheck } from './special-ranges.ts';

/** Names to addresses; the worker's resolver unless a test brings its own. */
export type Resolve = (host: string) => Promise<readonly string[]>;

/** An HTTP proxy between the worker and the world (from `HTTPS_PROXY` and its kin). */
export interface CorporateProxy {
  readonly url: URL;
}

export interface UpstreamSettings {
  /** CIDR ranges that names must not resolve into, as they are now. Setting `egress.refusedRanges`. */
  readonly refusedRanges: () => readonly string[];
  /** Addresses of the worker's own interfaces, as they are now. */
  readonly ownAddresses: () => ReadonlySet<string>;
  readonly connectTimeoutMs: number;
  readonly resolve: Resolve;
  /** The worker's environment, for its proxy variables only. */
  readonly proxyEnv: Readonly<Record<string, string | undefined>>;
}

/**
 * Why a connection could not be made: `refused` is a decision (403), `limited` one that is on record already,
 * `untrusted` what the server showed (502, recorded), `unreachable` is the network's (502).
 */
export class UpstreamError extends Error {
  readonly kind: 'refused' | 'limited' | 'untrusted' | 'unreachable';
  constructor(kind: UpstreamError['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Addresses that a verdict opens (`Allowed`). */
export type OpenedAddresses = Pick<Allowed, 'internal' | 'named'>;

/** How a target is reached: at an address that was checked, or through the operator's proxy. */
export type Route =
  | { readonly via: 'address'; readonly address: string; readonly port: number }
  | { readonly via: 'proxy'; readonly proxy: CorporateProxy };

/** Asks the system's resolver (hosts file included) once; every address it knows. */
export const systemResolve: Resolve = async (host) =>
  (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);

/** Finds the ways out for checked targets. */
export function createRouter(settings: UpstreamSettings) {
  let compiled: { readonly of: readonly string[]; readonly check: RangeCheck } | null = null;
  const refused: RangeCheck = (address) => {
    const of = settings.refusedRanges();
    const same =
      compiled !== null &&
      compiled.of.length === of.length &&
      of.every((one, at) => compiled?.of[at] === one);
    if (compiled === null || !same) compiled = { of, check: compileRanges(of) };
    return compiled.check(address);
  };
  return {
    /**
     * @param opens Which addresses beyond the public ones may be connected to for this target.
     * @throws UpstreamError
     */
    async route(target: Target, opens: OpenedAddresses, signal: AbortSignal): Promise<Route> {
      const own = settings.ownAddresses();
      const check: AddressCheck = (address) => {
        const never = neverReachedRanges(address);
        if (never !== null) return inRange(never, ', and nothing opens it');
        const range = refused(address);
        if (range !== null && !opens.internal(address)) return inRange(range, '');
        if (isOwnAddress(own, address) && !opens.named(address))
          return 'an address of the worker itself; only a cidr rule of the configuration that names exactly this address opens it';
        return null;
      };
      const proxy = proxyFor(settings.proxyEnv, target);
      if (isAddressLiteral(target.host)) return addressOf([target.host], target, check);
      let addresses: readonly string[];
      try {
        addresses = await withTimeout(settings.resolve(target.host), settings.connectTimeoutMs, signal);
      } catch (error) {
        // Behind a proxy the worker often cannot resolve outside names; then the proxy decides.
        if (proxy !== null) return { via: 'proxy', proxy };
        throw new UpstreamError('unreachable', `${target.host} does not resolve (${codeOf(error)})`);
      }
      if (addresses.length === 0) throw new UpstreamError('unreachable', `${target.host} has no address`);
      const route = addressOf(addresses, target, check);
      return proxy === null ? route : { via: 'proxy', proxy };
    },

    /** Opens the route to `target`; for a proxy the tunnel is already made. @throws UpstreamError */
    async open(route: Route, target: Target, signal: AbortSignal): Promise<Socket> {
      const timeoutMs = settings.connectTimeoutMs;
      if (route.via === 'address') return dial(route.address, route.port, target.host, timeoutMs, signal);
      return tunnelThrough(route.proxy, target, timeoutMs, signal);
    },

    /** A connection to the proxy itself, for a request to `target` that it can read. @throws UpstreamError */
    async openProxy(proxy: CorporateProxy, _target: Target, signal: AbortSignal): Promise<Socket> {
      return dialProxy(proxy, settings.connectTimeoutMs, signal);
    },
  };
}
export type Router = ReturnType<typeof createRouter>;

/** Why an address must not be connected to, or null. */
type AddressCheck = (address: string) => string | null;

function inRange({ cidr, name }: NonNullable<ReturnType<RangeCheck>>, more: string): string {
  return `which lies in ${cidr} (${name}); the setting egress.refusedRanges refuses this range${more}`;
}

function addressOf(addresses: readonly string[], target: Target, check: AddressCheck): Route {
  // Only addresses that pass are ever connected to, so one bad answer among good ones opens nothing.
  const good = addresses.find((address) => check(address) === null);
  if (good !== undefined) {
    return { via: 'address', address: readAddress(good)?.address ?? good, port: target.port };
  }
  const bad = addresses[0]!;
  throw new UpstreamError('refused', `${target.host} resolves to ${bad}, ${check(bad)}`);
}

/** The proxy for a target by the usual variables; null for a direct connection. */
export function proxyFor(
  env: Readonly<Record<string, string | undefined>>,
  target: Target,
): CorporateProxy | null {
  const get = (name: string) => env[name.toLowerCase()] || env[name] || undefined;
  const url = (target.port === 80 ? get('HTTP_PROXY') : get('HTTPS_PROXY')) ?? get('ALL_PROXY');
  if (url === undefined) return null;
  for (const entry of (get('NO_PROXY') ?? '').split(/[\s,]+/)) {
    if (entry === '*') return null;
    const name = normalHost(entry.replace(/^\*?\./, '').replace(/:\d+$/, ''));
    if (name !== null && name !== '' && (target.host === name || target.host.endsWith(`.${name}`)))
      return null;
  }
  const parsed = URL.parse(url.includes('://') ? url : `http://${url}`);
  return parsed !== null && (parsed.protocol === 'http:' || parsed.protocol === 'https:')
    ? { url: parsed }
    : null;
}

/** The value of `Proxy-Authorization` for a proxy with credentials in its address. */
export function proxyAuthorization({ url }: CorporateProxy): Record<string, string> {
  if (url.username === '') return {};
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
}

async function dialProxy({ url }: CorporateProxy, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  const secure = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const socket = await dial(host, Number(url.port) || (secure ? 443 : 80), 'the proxy', timeoutMs, signal);
  return secure ? tlsConnect({ socket, servername: host }) : socket;
}

async function tunnelThrough(
  proxy: CorporateProxy,
  target: Target,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Socket> {
  const socket = await dialProxy(proxy, timeoutMs, signal);
  return new Promise((resolve, reject) => {
    const authority = authorityOf(target);
    const fail = (why: string) => {
      socket.destroy();
      reject(
        new UpstreamError('unreachable', `the proxy of this network did not connect to ${authority}: ${why}`),
      );
    };
    const request = httpRequest({
      createConnection: () => socket,
      method: 'CONNECT',
      path: authority,
      headers: { host: authority, ...proxyAuthorization(proxy) },
      timeout: timeoutMs,
      signal,
    });
    request.once('connect', (response, tunnel: Socket, head) => {
      if (response.statusCode !== 200) return fail(`it answered ${response.statusCode}`);
      if (head.length > 0) tunnel.unshift(head);
      resolve(tunnel);
    });
    request.once('response', (response) => fail(`it answered ${response.statusCode}`));
    request.once('timeout', () => fail('it did not answer'));
    request.once('error', (error) => fail(codeOf(error)));
    request.end();
  });
}

function dial(
  host: string,
  port: number,
  name: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, allowHalfOpen: true, signal });
    const fail = (why: string) => {
      socket.destroy();
      reject(new UpstreamError('unreachable', `${name}, port ${port}, cannot be reached (${why})`));
    };
    const onError = (error: Error) => fail(codeOf(error));
    const onTimeout = () => fail('no answer in time');
    socket.setTimeout(timeoutMs, onTimeout);
    socket.once('error', onError);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('timeout', onTimeout);
      socket.off('error', onError);
      resolve(socket);
    });
  });
}

async function withTimeout<T>(work: Promise<T>, ms: number, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('no answer in time')), ms);
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
