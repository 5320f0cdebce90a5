import { closeSync, openSync, readSync, writeSync } from 'node:fs';

/** Where programs of the tools directory find their loader and libraries, whatever image they run in. */
export const insideLoader = '/opt/berth/ld';
export const insideLibraries = '/opt/berth/l';

/** From `elf.h`. */
const segment = { dynamic: 2, interpreter: 3 } as const;
const tag = { end: 0n, strings: 5n, rpath: 15n, debug: 21n, runpath: 29n } as const;
const entryBytes = 16;

interface Part {
  readonly offset: number;
  readonly address: bigint;
  readonly bytes: number;
}

interface Elf {
  readonly interpreter: Part | null;
  readonly dynamic: Part | null;
}

/**
 * The loader that a program names, or null when it needs none (a script, a static program).
 * @param file a path
 */
export function loaderOf(file: string): string | null {
  const descriptor = openSync(file, 'r');
  try {
    const part = readHeaders(descriptor)?.interpreter ?? null;
    return part === null ? null : cString(readAt(descriptor, part.offset, part.bytes));
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Makes a dynamic program take its loader and libraries from `/opt/berth`, in place and without a byte more: the new
 * loader's name and the directory of libraries share the room of the old name (27 bytes on ARM64, 28 on x86-64), and
 * the directory is made known by a DT_RPATH, which goes before LD_LIBRARY_PATH and is not handed on to children.
 * A wrapper that calls the loader would do the same, but then `/proc/self/exe`, and with it Node's `process.execPath`,
 * is the loader.
 * @throws Error when the program has not the room
 */
export function bindToTools(file: string): void {
  const descriptor = openSync(file, 'r+');
  try {
    const headers = readHeaders(descriptor);
    if (headers === null || headers.interpreter === null || headers.dynamic === null)
      throw new Error(`${file} is no dynamic program.`);
    const { interpreter, dynamic } = headers;
    const names = Buffer.alloc(interpreter.bytes);
    const librariesAt = insideLoader.length + 1;
    if (librariesAt + insideLibraries.length + 1 > interpreter.bytes)
      throw new Error(`${file} has no room for another loader's name.`);
    names.write(insideLoader, 0, 'latin1');
    names.write(insideLibraries, librariesAt, 'latin1');

    const table = readAt(descriptor, dynamic.offset, dynamic.bytes);
    const place = freeEntry(table);
    const strings = valueOf(table, tag.strings);
    if (place === null || strings === null) throw new Error(`${file} has no room for a library path.`);
    const entry = Buffer.alloc(entryBytes);
    entry.writeBigUInt64LE(tag.rpath, 0);
    // Names count from the table of strings, which lies behind: the sum wraps around, as addresses do.
    const at = interpreter.address + BigInt(librariesAt) - strings;
    entry.writeBigUInt64LE(BigInt.asUintN(64, at), 8);

    writeSync(descriptor, names, 0, names.length, interpreter.offset);
    writeSync(descriptor, entry, 0, entryBytes, dynamic.offset + place);
  } finally {
    closeSync(descriptor);
  }
}

/** An entry that may be taken: an own library path, the spare room linkers leave, or what only a debugger reads. */
function freeEntry(table: Buffer): number | null {
  let debug: number | null = null;
  for (let at = 0; at + entryBytes <= table.length; at += entryBytes) {
    const found = table.readBigUInt64LE(at);
    if (found === tag.rpath || found === tag.runpath) return at;
    if (found === tag.debug) debug = at;
    if (found !== tag.end) continue;
    // The table has to keep an end.
    return at + 2 * entryBytes <= table.length ? at : debug;
  }
  return debug;
}

function valueOf(table: Buffer, wanted: bigint): bigint | null {
  for (let at = 0; at + entryBytes <= table.length; at += entryBytes)
    if (table.readBigUInt64LE(at) === wanted) return table.readBigUInt64LE(at + 8);
  return null;
}

/** Null for anything but a 64-bit little-endian ELF file. */
function readHeaders(descriptor: number): Elf | null {
  const header = readAt(descriptor, 0, 64);
  if (header.length < 64 || header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2 || header[5] !== 1)
    return null;
  const [start, size, count] = [
    Number(header.readBigUInt64LE(0x20)),
    header.readUInt16LE(0x36),
    header.readUInt16LE(0x38),
  ];
  const table = readAt(descriptor, start, size * count);
  const part = (type: number): Part | null => {
    for (let at = 0; at + size <= table.length; at += size) {
      if (table.readUInt32LE(at) !== type) continue;
      return {
        offset: Number(table.readBigUInt64LE(at + 8)),
        address: table.readBigUInt64LE(at + 16),
        bytes: Number(table.readBigUInt64LE(at + 32)),
      };
    }
    return null;
  };
  return { interpreter: part(segment.interpreter), dynamic: part(segment.dynamic) };
}

function readAt(descriptor: number, offset: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  return buffer.subarray(0, readSync(descriptor, buffer, 0, bytes, offset));
}

function cString(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('latin1', 0, end === -1 ? bytes.length : end);
}
