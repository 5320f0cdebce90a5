import { BlockList, isIP } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { FastifyRequest } from 'fastify';
import type { IncomingRequest } from '../../access/authenticator.ts';

const known = new WeakMap<FastifyRequest['raw'], IncomingRequest>();

/**
 * What the ways in look at, as the request first came. Later calls answer the same, also after headers were taken
 * away from the request.
 * @param trustedProxies addresses and networks (`10.0.0.0/8`) whose `X-Forwarded-For` and `-Proto` are believed
 */
export function incomingOf(request: FastifyRequest, trustedProxies: readonly string[] = []): IncomingRequest {
  const found = known.get(request.raw);
  if (found !== undefined) return found;
  const { method = 'GET', url = '/', headers, socket } = request.raw;
  const peer = plainAddress(socket.remoteAddress ?? '');
  const isTrusted = trustIn(trustedProxies);
  const made: IncomingRequest = {
    method,
    url,
    headers: { ...headers },
    repeated: repeatedIn(request.raw.rawHeaders),
    address: clientAddress(peer, textOf(headers['x-forwarded-for']), isTrusted),
    secure:
      socket instanceof TLSSocket ||
      (isTrusted(peer) && lastOf(textOf(headers['x-forwarded-proto']))?.toLowerCase() === 'https'),
  };
  known.set(request.raw, made);
  return made;
}

/** @param raw names and values in turn, as they came */
function repeatedIn(raw: readonly string[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase();
    if (seen.has(name)) repeated.add(name);
    seen.add(name);
  }
  return repeated;
}

/**
 * Where a request began: read from the right, `X-Forwarded-For` is true as long as trusted proxies wrote it; what
 * stands left of the first stranger is whatever that stranger wrote. Pure.
 */
export function clientAddress(
  peer: string,
  forwardedFor: string,
  isTrusted: (address: string) => boolean,
): string {
  let address = peer;
  const hops = forwardedFor.split(',').map((hop) => plainAddress(hop.trim()));
  while (isTrusted(address)) {
    const hop = hops.pop();
    if (hop === undefined || isIP(hop) === 0) return address;
    address = hop;
  }
  return address;
}

/** Whether an address is one of a trusted proxy. Entries that are none are ignored: nobody is trusted by mistake. */
export function trustIn(trustedProxies: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const entry of trustedProxies) {
    const [network = '', bits] = entry.split('/');
    const family = isIP(network);
    if (family === 0) continue;
    const type = family === 6 ? 'ipv6' : 'ipv4';
    const most = family === 6 ? 128 : 32;
    if (bits === undefined) list.addAddress(network, type);
    else if (/^\d{1,3}$/.test(bits) && Number(bits) <= most) list.addSubnet(network, Number(bits), type);
  }
  return (address) => {
    const family = isIP(address);
    return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
  };
}

/** Without the port, brackets and the IPv6 form of an IPv4 address. */
export function plainAddress(text: string): string {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^(\d+(?:\.\d+){3}):\d+$/.exec(text)?.[1] ?? text;
  return /^::ffff:(\d+(?:\.\d+){3})$/i.exec(bare)?.[1] ?? bare;
}

function textOf(header: string | string[] | undefined): string {
  return Array.isArray(header) ? header.join(',') : (header ?? '');
}

function lastOf(list: string): string | undefined {
  return list.split(',').at(-1)?.trim();
}
