import type { Duplex } from 'node:stream';
import { normalHost, type Target } from './hosts.ts';
import { take } from './peek.ts';

/** Reply codes of RFC 1928, section 6. */
export const socksReply = {
  granted: 0,
  notAllowed: 2,
  hostUnreachable: 4,
  commandNotSupported: 7,
  addressTypeNotSupported: 8,
} as const;

export type SocksOutcome =
  | { readonly kind: 'target'; readonly target: Target; readonly byAddress?: boolean }
  /** The client asked for something else; it has been told. `target` is set when it named an address. */
  | { readonly kind: 'refused'; readonly target: Target | null; readonly reason: string };

/** Speaks SOCKS5 up to the request: CONNECT is all that is served, to a name or an address. */
export async function readSocksRequest(stream: Duplex, timeoutMs: number): Promise<SocksOutcome> {
  const refuse = (reason: string, target: Target | null = null): SocksOutcome => ({
    kind: 'refused',
    target,
    reason,
  });
  const [version, methodCount = 0] = await take(stream, 2, timeoutMs);
  if (version !== 5) return refuse('it does not speak SOCKS5');
  const methods = await take(stream, methodCount, timeoutMs);
  if (methods.length !== methodCount) return refuse('its SOCKS greeting is cut short');
  if (!methods.includes(0)) {
    stream.end(Buffer.from([5, 0xff]));
    return refuse('it wants SOCKS authentication');
  }
  stream.write(Buffer.from([5, 0]));
  const [requestVersion, command, , addressType] = await take(stream, 4, timeoutMs);
  if (requestVersion !== 5) return refuse('its SOCKS request is malformed');
  if (command !== 1) {
    stream.end(socksAnswer(socksReply.commandNotSupported));
    return refuse('only the SOCKS command CONNECT is served');
  }
  if (addressType !== 3) {
    const size = addressType === 1 ? 4 : addressType === 4 ? 16 : 0;
    const address = await take(stream, size, timeoutMs);
    const port = await take(stream, 2, timeoutMs);
    if (size > 0 && address.length === size && port.length === 2 && port.readUInt16BE() > 0) {
      return { kind: 'target', target: literal(address, port), byAddress: true };
    }
    stream.end(socksAnswer(socksReply.addressTypeNotSupported));
    return refuse('its SOCKS request is malformed');
  }
  const [length = 0] = await take(stream, 1, timeoutMs);
  const name = await take(stream, length, timeoutMs);
  const port = await take(stream, 2, timeoutMs);
  const host = normalHost(name.toString('latin1'));
  if (host === null || name.length !== length || port.length !== 2 || port.readUInt16BE() === 0) {
    stream.end(socksAnswer(socksReply.notAllowed));
    return refuse('its SOCKS request is malformed');
  }
  return { kind: 'target', target: { host, port: port.readUInt16BE() } };
}

export function socksAnswer(code: number): Buffer {
  return Buffer.from([5, code, 0, 1, 0, 0, 0, 0, 0, 0]);
}

function literal(address: Buffer, port: Buffer): Target {
  const host =
    address.length === 4
      ? [...address].join('.')
      : Array.from({ length: 8 }, (_, at) => address.readUInt16BE(at * 2).toString(16)).join(':');
  return { host, port: port.readUInt16BE() };
}
