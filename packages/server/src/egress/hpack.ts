/** Header compression for HTTP/2 (RFC 7541). Errors are thrown as `HpackError`: the connection cannot go on. */
export class HpackError extends Error {}

/** Names and values as `[name, value, name, value …]`, latin1. */
export type HeaderList = readonly string[];

const defaultTableBytes = 4096;
/** What an entry counts beside its text (RFC 7541, 4.1). */
const entryOverhead = 32;

/** RFC 7541, appendix A: `name` or `name=value`. */
const staticTable: ReadonlyArray<readonly [name: string, value: string]> = [
  ':authority',
  ':method=GET',
  ':method=POST',
  ':path=/',
  ':path=/index.html',
  ':scheme=http',
  ':scheme=https',
  ':status=200',
  ':status=204',
  ':status=206',
  ':status=304',
  ':status=400',
  ':status=404',
  ':status=500',
  'accept-charset',
  'accept-encoding=gzip, deflate',
  'accept-language',
  'accept-ranges',
  'accept',
  'access-control-allow-origin',
  'age',
  'allow',
  'authorization',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-range',
  'content-type',
  'cookie',
  'date',
  'etag',
  'expect',
  'expires',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'link',
  'location',
  'max-forwards',
  'proxy-authenticate',
  'proxy-authorization',
  'range',
  'referer',
  'refresh',
  'retry-after',
  'server',
  'set-cookie',
  'strict-transport-security',
  'transfer-encoding',
  'user-agent',
  'vary',
  'via',
  'www-authenticate',
].map((entry) => {
  const [name = '', ...value] = entry.split('=');
  return [name, value.join('=')] as const;
});

/** Lengths in bits of the Huffman codes of bytes 0 to 255 (RFC 7541, appendix B); the codes follow from them. */
const codeLengths: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28,
  28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7,
  8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19,
  13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13,
  28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21,
  22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23,
  22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
  25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

/** The codes as a tree: a node is the pair of what follows a 0 and a 1; a leaf is the byte. */
type Tree = [Tree | number | null, Tree | number | null];

function huffmanTree(): Tree {
  const root: Tree = [null, null];
  const order = codeLengths
    .map((length, byte) => ({ length, byte }))
    .sort((a, b) => a.length - b.length || a.byte - b.byte);
  let code = 0;
  let before = order[0]!.length;
  for (const { length, byte } of order) {
    code *= 2 ** (length - before);
    before = length;
    let node = root;
    for (let bit = length - 1; bit > 0; bit -= 1) {
      const side = (Math.floor(code / 2 ** bit) & 1) as 0 | 1;
      const next = node[side];
      if (Array.isArray(next)) node = next;
      else node = node[side] = [null, null];
    }
    node[(code & 1) as 0 | 1] = byte;
    code += 1;
  }
  return root;
}
let tree: Tree | null = null;

function huffmanText(bytes: Buffer): string {
  const root = (tree ??= huffmanTree());
  const text = Buffer.alloc(bytes.length * 2);
  let length = 0;
  let node = root;
  let padding = 0;
  let ones = true;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit -= 1) {
      const side = ((byte >> bit) & 1) as 0 | 1;
      const next: Tree | number | null = node[side];
      padding += 1;
      ones &&= side === 1;
      if (next === null) throw new HpackError('a Huffman code is unknown');
      if (Array.isArray(next)) node = next;
      else {
        text[length++] = next;
        node = root;
        padding = 0;
        ones = true;
      }
    }
  }
  if (padding > 7 || !ones) throw new HpackError('Huffman padding is malformed');
  return text.toString('latin1', 0, length);
}

/** Reads the header blocks of one direction of one connection, in their order. */
export class HpackDecoder {
  /** The newest first. */
  #table: Array<readonly [name: string, value: string]> = [];
  #tableBytes = 0;
  #limit = defaultTableBytes;
  readonly #listBytes: number;

  /** @param listBytes Longest list, counted as `SETTINGS_MAX_HEADER_LIST_SIZE` does. */
  constructor(listBytes: number) {
    this.#listBytes = listBytes;
  }

  /** @throws HpackError */
  read(block: Buffer): HeaderList {
    const list: string[] = [];
    let size = 0;
    let at = 0;
    const integer = (bits: number): number => {
      const mask = 2 ** bits - 1;
      let value = (block[at++] ?? 0) & mask;
      if (value < mask) return value;
      for (let shift = 0; ; shift += 7) {
        const byte = block[at++];
        if (byte === undefined || shift > 21) throw new HpackError('a number is malformed');
        value += (byte & 0x7f) * 2 ** shift;
        if (byte < 0x80) return value;
      }
    };
    const text = (): string => {
      const isHuffman = ((block[at] ?? 0) & 0x80) !== 0;
      const length = integer(7);
      if (at + length > block.length) throw new HpackError('a text is cut short');
      const bytes = block.subarray(at, at + length);
      at += length;
      return isHuffman ? huffmanText(bytes) : bytes.toString('latin1');
    };
    while (at < block.length) {
      const first = block[at]!;
      if (first >= 0x20 && first < 0x40) {
        const limit = integer(5);
        if (limit > defaultTableBytes || list.length > 0) throw new HpackError('a table size is not allowed');
        this.#limit = limit;
        this.#evict();
        continue;
      }
      let entry: readonly [name: string, value: string];
      if (first >= 0x80) entry = this.#entry(integer(7));
      else {
        const isKept = first >= 0x40;
        const index = integer(isKept ? 6 : 4);
        const name = index === 0 ? text() : this.#entry(index)[0];
        entry = [name, text()];
        if (isKept) this.#add(entry);
      }
      size += entry[0].length + entry[1].length + entryOverhead;
      if (size > this.#listBytes) throw new HpackError('the headers are too long');
      list.push(entry[0], entry[1]);
    }
    return list;
  }

  #entry(index: number): readonly [name: string, value: string] {
    const found =
      index <= staticTable.length ? staticTable[index - 1] : this.#table[index - staticTable.length - 1];
    if (found === undefined) throw new HpackError('a header index is unknown');
    return found;
  }

  #add(entry: readonly [name: string, value: string]): void {
    this.#table.unshift(entry);
    this.#tableBytes += entry[0].length + entry[1].length + entryOverhead;
    this.#evict();
  }

  #evict(): void {
    while (this.#tableBytes > this.#limit) {
      const [name, value] = this.#table.pop()!;
      this.#tableBytes -= name.length + value.length + entryOverhead;
    }
  }
}

/** Writes a list without any table, never to be indexed by whoever passes it on: credentials are among them. */
export function hpackBlock(list: HeaderList, forgetsTable: boolean): Buffer {
  const parts: Buffer[] = forgetsTable ? [Buffer.from([0x20])] : [];
  for (let at = 0; at + 1 < list.length; at += 2) {
    parts.push(Buffer.from([0x10]), textOf(list[at]!), textOf(list[at + 1]!));
  }
  return Buffer.concat(parts);
}

function textOf(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const head = [127];
  let left = bytes.length - 127;
  for (; left >= 128; left = Math.floor(left / 128)) head.push((left % 128) + 128);
  head.push(left);
  return Buffer.concat([Buffer.from(head), bytes]);
}
