import { isAddressLiteral } from './hosts.ts';

/** What the first bytes of a tunnel say about the TLS session that it wants to open. */
export type ClientHello =
  /** More bytes are needed. */
  | { readonly kind: 'incomplete' }
  /** Not TLS, or a hello that is broken or not allowed here. */
  | { readonly kind: 'invalid'; readonly reason: string }
  | {
      readonly kind: 'hello';
      readonly serverName: string | null;
      /** It carries the extension of encrypted hellos: a real one, or one that looks like it (GREASE). */
      readonly encrypted: boolean;
      /** The application protocols it offers (ALPN), in its order; empty when it names none. */
      readonly protocols: readonly string[];
    };

/** Bytes that may arrive before the hello must be whole; post-quantum key shares need about 2 KiB. */
export const maxClientHelloBytes = 24 * 1024;

const handshakeRecord = 0x16;
const clientHelloMessage = 0x01;
/** RFC 6066. */
const serverNameExtension = 0x0000;
/** RFC 7301. */
const protocolsExtension = 0x0010;
/** RFC 9849, and the numbers its drafts used before. */
const encryptedHelloExtensions: ReadonlySet<number> = new Set([0xfe0d, 0xfe0a, 0xfe09, 0xfe08, 0xffce]);

class Short extends Error {}

/** Reads big-endian fields and throws `Short` where a length promises more than there is. */
class Reader {
  #at = 0;
  readonly #bytes: Buffer;
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }
  get left(): number {
    return this.#bytes.length - this.#at;
  }
  number(size: 1 | 2 | 3): number {
    return this.take(size).readUIntBE(0, size);
  }
  take(size: number): Buffer {
    if (this.left < size) throw new Short();
    const part = this.#bytes.subarray(this.#at, this.#at + size);
    this.#at += size;
    return part;
  }
  vector(sizeOfLength: 1 | 2 | 3): Reader {
    return new Reader(this.take(this.number(sizeOfLength)));
  }
}

/**
 * Reads the ClientHello at the start of `bytes`. Pure and total: hostile bytes give `invalid`, never a throw.
 * A hello may be spread over several records (it is re-assembled); anything else before it is refused.
 */
export function readClientHello(bytes: Buffer): ClientHello {
  const message = handshakeBytes(bytes);
  if (typeof message === 'string') return { kind: 'invalid', reason: message };
  if (message.length >= 1 && message[0] !== clientHelloMessage) {
    return { kind: 'invalid', reason: 'its first handshake message is not a ClientHello' };
  }
  const whole = message.length >= 4 && message.length >= 4 + message.readUIntBE(1, 3);
  if (!whole) {
    return bytes.length > maxClientHelloBytes
      ? { kind: 'invalid', reason: `its ClientHello is longer than ${maxClientHelloBytes} bytes` }
      : { kind: 'incomplete' };
  }
  try {
    return readBody(new Reader(message.subarray(4, 4 + message.readUIntBE(1, 3))));
  } catch (error) {
    if (error instanceof Short) return { kind: 'invalid', reason: 'its ClientHello is malformed' };
    throw error;
  }
}

/** The handshake payload of the records so far, or why these are no TLS records. */
function handshakeBytes(bytes: Buffer): Buffer | string {
  const parts: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes[at] !== handshakeRecord) {
      return at === 0
        ? 'it does not begin with a TLS handshake'
        : 'another record interrupts its ClientHello';
    }
    if (bytes.length > at + 1 && bytes[at + 1] !== 0x03) return 'its TLS version is unknown';
    if (bytes.length < at + 5) break;
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > 0x4000) return 'it has a TLS record of a forbidden length';
    parts.push(bytes.subarray(at + 5, Math.min(bytes.length, at + 5 + length)));
    at += 5 + length;
    // What follows a whole hello (early data, say) is none of the parser's business.
    const soFar = Buffer.concat(parts);
    if (soFar.length >= 4 && soFar.length >= 4 + soFar.readUIntBE(1, 3)) return soFar;
  }
  return Buffer.concat(parts);
}

function readBody(body: Reader): ClientHello {
  body.take(2 + 32);
  body.vector(1);
  body.vector(2);
  body.vector(1);
  let serverName: string | null = null;
  let encrypted = false;
  let protocols: readonly string[] = [];
  const seen = new Set<number>();
  const extensions = body.left === 0 ? new Reader(Buffer.alloc(0)) : body.vector(2);
  if (body.left !== 0) return { kind: 'invalid', reason: 'its ClientHello is malformed' };
  while (extensions.left > 0) {
    const type = extensions.number(2);
    const data = extensions.vector(2);
    if (seen.has(type)) return { kind: 'invalid', reason: 'its ClientHello repeats an extension' };
    seen.add(type);
    if (encryptedHelloExtensions.has(type)) encrypted = true;
    if (type === protocolsExtension) protocols = protocolNames(data);
    if (type !== serverNameExtension) continue;
    const names = data.vector(2);
    const nameType = names.number(1);
    const name = names.vector(2);
    // Two names would let us check one and the server choose the other.
    if (nameType !== 0 || names.left !== 0 || data.left !== 0 || name.left === 0) {
      return { kind: 'invalid', reason: 'its server name (SNI) is malformed' };
    }
    const text = name.take(name.left).toString('latin1').toLowerCase();
    if (!/^[a-z0-9._-]+$/.test(text))
      return { kind: 'invalid', reason: 'its server name (SNI) is malformed' };
    serverName = text;
  }
  return { kind: 'hello', serverName, encrypted, protocols };
}

function protocolNames(data: Reader): string[] {
  const list = data.vector(2);
  const names: string[] = [];
  while (list.left > 0) {
    const name = list.vector(1);
    names.push(name.take(name.left).toString('latin1'));
  }
  return names;
}

/**
 * Why a hello may not pass to `host`, or null when it may. In a tunnel an encrypted hello hides the name that counts and
 * cannot be told from one that only looks encrypted (GREASE), so both are refused. Where TLS ends at the worker neither
 * has an effect: the worker has no key for it, and the name it asks for upstream is its own.
 */
export function refuseHello(
  hello: Extract<ClientHello, { kind: 'hello' }>,
  host: string,
  contents: 'inspect' | 'tunnel' = 'tunnel',
): string | null {
  // RFC 6066: an address is no server name, so a hello to one has none.
  if (hello.serverName === null && !isAddressLiteral(host)) {
    return 'its TLS hello names no server (SNI is required)';
  }
  if (hello.serverName !== null && hello.serverName.replace(/\.$/, '') !== host) {
    return `its TLS hello names ${hello.serverName}, but the tunnel was opened for ${host}`;
  }
  if (hello.encrypted && contents === 'tunnel')
    return 'its TLS hello is encrypted (ECH), so the real server name cannot be checked';
  return null;
}
