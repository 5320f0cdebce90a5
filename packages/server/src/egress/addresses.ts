import { isIP } from 'node:net';

/**
 * An address in one spelling, and what else a packet to it may reach: the IPv4 addresses that are written inside it.
 */
export interface ReadAddress {
  /** Canonical; the plain IPv4 address for `::ffff:a.b.c.d`. This is what may be connected to. */
  readonly address: string;
  /** IPv4 addresses that a translator or a tunnel would take it to. */
  readonly embedded: readonly string[];
}

/** Reads an address in any spelling of the URL standard; null for a name, a zone (`%eth0`) or nonsense. Pure. */
export function readAddress(text: string): ReadAddress | null {
  const version = isIP(text);
  if (version === 4) return { address: text, embedded: [] };
  if (version !== 6 || text.includes('%')) return null;
  const words = wordsOf(text);
  if (words === null) return null;
  const [a, b, c, d, e, f, g, h] = words;
  const last = dotted(g, h);
  const zeros = (...values: readonly number[]) => values.every((value) => value === 0);
  // IPv4-mapped (RFC 4291): another spelling of the IPv4 address itself.
  if (zeros(a, b, c, d, e) && f === 0xffff) return { address: last, embedded: [] };
  const embedded: string[] = [];
  // IPv4-compatible (RFC 4291), IPv4-translated (RFC 2765).
  if (zeros(a, b, c, d, e, f) && (g !== 0 || h > 1)) embedded.push(last);
  if (zeros(a, b, c, d, f) && e === 0xffff) embedded.push(last);
  // NAT64: the well-known prefix, and the one of networks, in the two layouts that are in use (RFC 6052, RFC 8215).
  if (a === 0x64 && b === 0xff9b && (zeros(c, d, e, f) || c === 1)) embedded.push(last);
  if (a === 0x64 && b === 0xff9b && c === 1) {
    embedded.push(dotted(d, ((e & 0xff) << 8) | (f >> 8)));
  }
  // 6to4 (RFC 3056).
  if (a === 0x2002) embedded.push(dotted(b, c));
  // Teredo (RFC 4380): its server, and the client behind it, written inverted.
  if (a === 0x2001 && b === 0) embedded.push(dotted(c, d), dotted(g ^ 0xffff, h ^ 0xffff));
  // ISATAP (RFC 5214), under any prefix.
  if ((e === 0 || e === 0x0200) && f === 0x5efe) embedded.push(last);
  return { address: canonical(text), embedded };
}

type Words = readonly [number, number, number, number, number, number, number, number];

function canonical(address: string): string {
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}

/** The sixteen bytes of an IPv6 address without a zone. Pure. */
export function ipv6Bytes(address: string): Buffer {
  const bytes = Buffer.alloc(16);
  for (const [at, word] of (wordsOf(address) ?? []).entries()) bytes.writeUInt16BE(word, at * 2);
  return bytes;
}

/** The eight 16-bit groups of an IPv6 address. */
function wordsOf(text: string): Words | null {
  const [head = '', tail] = canonical(text).split('::');
  const groups = (part: string) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [left, right] = [groups(head), groups(tail ?? '')];
  const middle = tail === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => 0);
  const all = [...left, ...middle, ...right];
  return all.length === 8 ? (all as unknown as Words) : null;
}

function dotted(high: number, low: number): string {
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}
