/** As much of DER (X.690) as a certificate needs. */

const classContext = 0xa0;

export function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

export function set(...parts: readonly Buffer[]): Buffer {
  return tagged(0x31, Buffer.concat(parts));
}

/** `[place]`, explicit: around a whole value. */
export function explicit(place: number, part: Buffer): Buffer {
  return tagged(classContext + place, part);
}

/** `[place]`, implicit and primitive: in the place of a string's own tag. */
export function implicitText(place: number, text: string): Buffer {
  return tagged(0x80 + place, Buffer.from(text, 'ascii'));
}

/** A whole number that is not negative, big endian. */
export function integer(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const short = first === -1 ? Buffer.from([0]) : bytes.subarray(first);
  return tagged(0x02, short[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), short]) : short);
}

export function boolean(value: boolean): Buffer {
  return tagged(0x01, Buffer.from([value ? 0xff : 0]));
}

export function bitString(bytes: Buffer, unusedBits = 0): Buffer {
  return tagged(0x03, Buffer.concat([Buffer.from([unusedBits]), bytes]));
}

export function octetString(bytes: Buffer): Buffer {
  return tagged(0x04, bytes);
}

export function utf8(text: string): Buffer {
  return tagged(0x0c, Buffer.from(text, 'utf8'));
}

export function oid(dotted: string): Buffer {
  const [one = 0, two = 0, ...rest] = dotted.split('.').map(Number);
  return tagged(0x06, Buffer.from([one * 40 + two, ...rest].flatMap(arcBytes)));
}

/** Seven bits a byte, the last one without the high bit. */
function arcBytes(arc: number): number[] {
  const bytes = [arc & 0x7f];
  for (let rest = arc >> 7; rest > 0; rest >>= 7) bytes.unshift(0x80 | (rest & 0x7f));
  return bytes;
}

/** Seconds since 1970, as UTCTime until 2049 and GeneralizedTime after it (RFC 5280, 4.1.2.5). */
export function time(atMs: number): Buffer {
  const text = new Date(atMs).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return Number(text.slice(0, 4)) < 2050
    ? tagged(0x17, Buffer.from(text.slice(2), 'ascii'))
    : tagged(0x18, Buffer.from(text, 'ascii'));
}

function tagged(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag]), length(content.length), content]);
}

function length(bytes: number): Buffer {
  if (bytes < 0x80) return Buffer.from([bytes]);
  return bytes < 0x100 ? Buffer.from([0x81, bytes]) : Buffer.from([0x82, bytes >> 8, bytes & 0xff]);
}
