/** As much of DER (X.690) as certificates and trust stores need. */

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

/** `[place]`, implicit and primitive: in the place of bytes' own tag. */
export function implicitBytes(place: number, bytes: Buffer): Buffer {
  return tagged(0x80 + place, bytes);
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

/** UTF-16, big endian: what PKCS #12 wants for names. */
export function bmpString(text: string): Buffer {
  return tagged(0x1e, Buffer.from(text, 'utf16le').swap16());
}

export function utf8(text: string): Buffer {
  return tagged(0x0c, Buffer.from(text, 'utf8'));
}

/** An object identifier; each arc in groups of seven bits, all but the last marked. */
export function oid(dotted: string): Buffer {
  const [one = 0, two = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [one * 40 + two, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift(0x80 | (left & 0x7f));
    return groups;
  });
  return tagged(0x06, Buffer.from(bytes));
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
  const size = bytes < 0x100 ? 1 : bytes < 0x1_0000 ? 2 : bytes < 0x100_0000 ? 3 : 4;
  const encoded = Buffer.alloc(1 + size, 0x80 | size);
  encoded.writeUIntBE(bytes, 1, size);
  return encoded;
}
