import { BerthError } from '../../domain/errors/index.ts';

export interface TarLimits {
  readonly maxBytes: number;
  readonly maxFiles: number;
}

export interface TarCount {
  files: number;
  bytes: number;
}

const block = 512;
/** Longer than any path Linux takes (4,096). */
const longestName = 8_192;
/** The folders a snapshot may put anything into; nothing replaces them themselves. */
const roots = ['workspace', 'home'];

/**
 * Passes a tar stream on while every header of it is checked, and counts what is in it. The stream comes from a sandbox:
 * what is passed holds only plain files, folders and links, below `workspace/` and `home/`, nothing setuid, no path
 * through a link that the archive made, and no more than the limits. Each chunk is passed only once its headers are good,
 * so that a refused entry never leaves.
 *
 * ustar and GNU's long names are read; everything else (pax, sparse and multi-volume forms) is refused.
 * @throws BerthError `SNAPSHOT_REFUSED`, `SNAPSHOT_TOO_LARGE`
 */
export async function* guardTar(
  source: AsyncIterable<Uint8Array>,
  limits: TarLimits,
  count: TarCount,
): AsyncGenerator<Uint8Array> {
  const reader = new TarReader(limits, count);
  for await (const chunk of source) {
    reader.take(chunk);
    yield chunk;
  }
  reader.end();
}

class TarReader {
  readonly #limits: TarLimits;
  readonly #count: TarCount;
  readonly #links = new Set<string>();
  readonly #header = Buffer.alloc(block);
  #headerBytes = 0;
  /** What is left of the present entry's contents, with padding. */
  #left = 0;
  #long: { readonly kind: 'L' | 'K'; readonly parts: Buffer[]; left: number } | null = null;
  #name: string | null = null;
  #target: string | null = null;
  #zeroBlocks = 0;

  constructor(limits: TarLimits, count: TarCount) {
    this.#limits = limits;
    this.#count = count;
  }

  take(chunk: Uint8Array): void {
    this.#count.bytes += chunk.length;
    if (this.#count.bytes > this.#limits.maxBytes) {
      throw new BerthError('SNAPSHOT_TOO_LARGE', `It has more than ${this.#limits.maxBytes} bytes.`);
    }
    for (let at = 0; at < chunk.length;) {
      if (this.#left > 0) {
        const bytes = Math.min(this.#left, chunk.length - at);
        this.#keepLong(chunk, at, bytes);
        this.#left -= bytes;
        at += bytes;
        if (this.#left === 0) this.#endLong();
        continue;
      }
      const bytes = Math.min(block - this.#headerBytes, chunk.length - at);
      this.#header.set(chunk.subarray(at, at + bytes), this.#headerBytes);
      this.#headerBytes += bytes;
      at += bytes;
      if (this.#headerBytes < block) continue;
      this.#headerBytes = 0;
      this.#readHeader();
    }
  }

  end(): void {
    if (
      this.#left > 0 ||
      this.#headerBytes > 0 ||
      this.#zeroBlocks < 2 ||
      this.#name !== null ||
      this.#target !== null
    )
      throw refused('it ends too early');
  }

  #readHeader(): void {
    const header = this.#header;
    if (header.every((byte) => byte === 0)) {
      this.#zeroBlocks += 1;
      return;
    }
    // What follows the end would be read by some programs and not by others.
    if (this.#zeroBlocks > 0) throw refused('something follows its end');
    if (!checksumHolds(header)) throw refused('a header is damaged');
    const type = header[156] === 0 ? '0' : String.fromCharCode(header[156]!);
    const bytes = octal(header, 124, 12);
    if (type === 'L' || type === 'K') {
      if (bytes < 1 || bytes > longestName) throw refused('a name is too long');
      if ((type === 'L' ? this.#name : this.#target) !== null) throw refused('a name is given twice');
      this.#long = { kind: type, parts: [], left: bytes };
      this.#left = padded(bytes);
      return;
    }
    this.#entry(type, bytes);
    this.#name = null;
    this.#target = null;
  }

  #entry(type: string, bytes: number): void {
    const header = this.#header;
    const name = this.#name ?? shortName(header);
    const shown = JSON.stringify(name.slice(0, 200));
    const path = partsOf(name);
    if (path === null || path.length < 2 || !roots.includes(path[0]!)) throw refused(`the path ${shown}`);
    if ((octal(header, 100, 8) & 0o6000) !== 0) throw refused(`${shown} is setuid or setgid`);
    for (let depth = 1; depth < path.length; depth += 1) {
      if (this.#links.has(path.slice(0, depth).join('/'))) throw refused(`${shown} goes through a link`);
    }
    if (path[0] === 'workspace' && path[1] === 'repo' && path[2] === '.git')
      throw refused(`${shown} is git's own`);
    const own = path.join('/');
    // A file over a link would be written through it by some programs.
    if (this.#links.has(own)) throw refused(`${shown} is there twice`);
    switch (type) {
      case '0':
      case '7':
        this.#left = padded(bytes);
        break;
      case '5':
        if (bytes !== 0) throw refused(`the folder ${shown} has contents`);
        break;
      case '2':
        if (bytes !== 0) throw refused(`the link ${shown} has contents`);
        this.#links.add(own);
        break;
      case '1': {
        if (bytes !== 0) throw refused(`the link ${shown} has contents`);
        const target = partsOf(this.#target ?? text(header, 157, 100));
        if (target === null || target.length < 2 || !roots.includes(target[0]!))
          throw refused(`the hard link ${shown} leads elsewhere`);
        for (let depth = 1; depth < target.length; depth += 1) {
          if (this.#links.has(target.slice(0, depth).join('/')))
            throw refused(`the hard link ${shown} goes through a link`);
        }
        if (this.#links.has(target.join('/'))) this.#links.add(own);
        break;
      }
      default:
        throw refused(`${shown} is of the kind ${JSON.stringify(type)}`);
    }
    this.#count.files += 1;
    if (this.#count.files > this.#limits.maxFiles) {
      throw new BerthError('SNAPSHOT_TOO_LARGE', `It has more than ${this.#limits.maxFiles} files.`);
    }
  }

  #keepLong(chunk: Uint8Array, at: number, bytes: number): void {
    if (this.#long === null) return;
    const kept = Math.min(this.#long.left, bytes);
    if (kept > 0) this.#long.parts.push(Buffer.from(chunk.subarray(at, at + kept)));
    this.#long.left -= kept;
  }

  #endLong(): void {
    if (this.#long === null) return;
    const all = Buffer.concat(this.#long.parts);
    const end = all.indexOf(0);
    // As latin1 nothing is lost: two names that differ in bytes differ.
    const name = all.subarray(0, end === -1 ? all.length : end).toString('latin1');
    if (this.#long.kind === 'L') this.#name = name;
    else this.#target = name;
    this.#long = null;
  }
}

function padded(bytes: number): number {
  return Math.ceil(bytes / block) * block;
}

function text(header: Buffer, at: number, length: number): string {
  const field = header.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.subarray(0, end === -1 ? length : end).toString('latin1');
}

/** GNU headers (`ustar  `) have no prefix: other things lie there. */
function shortName(header: Buffer): string {
  const name = text(header, 0, 100);
  const isPosix = header.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isPosix ? text(header, 345, 155) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** Octal digits, or GNU's binary form for what is larger than they can say. */
function octal(header: Buffer, at: number, length: number): number {
  if ((header[at]! & 0x80) !== 0) {
    let value = 0;
    for (let place = at + 1; place < at + length; place += 1) value = value * 256 + header[place]!;
    if (header[at] !== 0x80 || !Number.isSafeInteger(value)) throw refused('a number is too large');
    return value;
  }
  const digits = text(header, at, length).trim();
  if (!/^[0-7]*$/.test(digits)) throw refused('a number is damaged');
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

function checksumHolds(header: Buffer): boolean {
  let sum = 0;
  for (let at = 0; at < block; at += 1) sum += at >= 148 && at < 156 ? 32 : header[at]!;
  return sum === octal(header, 148, 8);
}

/** The parts of a relative path without `.`; null when it leads up, is absolute or empty. */
function partsOf(name: string): string[] | null {
  if (name.startsWith('/') || name.length > longestName) return null;
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  return parts.length === 0 || parts.includes('..') ? null : parts;
}

function refused(what: string): BerthError {
  return new BerthError('SNAPSHOT_REFUSED', `The snapshot is refused: ${what}.`);
}
