/** One change between two trees, as `git diff-tree -r -z --raw --no-renames` and its relatives print it. */
export interface RawChange {
  readonly oldMode: string;
  readonly newMode: string;
  readonly oldId: string;
  readonly newId: string;
  readonly status: string;
  /** Bytes as they are: git paths are not text. */
  readonly path: Buffer;
}

export interface TreeEntry {
  readonly mode: string;
  readonly type: string;
  readonly id: string;
  /** Null for submodules and trees. */
  readonly bytes: number | null;
  readonly path: Buffer;
}

export const submoduleMode = '160000';
export const symlinkMode = '120000';

/** The parts of a NUL-terminated list. */
export function splitNul(data: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let start = 0; start < data.length;) {
    const end = data.indexOf(0, start);
    const stop = end === -1 ? data.length : end;
    parts.push(data.subarray(start, stop));
    start = stop + 1;
  }
  return parts;
}

/** Reads `--raw -z --no-renames` output. Entries that do not have its form are ignored. */
export function rawChanges(data: Buffer): RawChange[] {
  const parts = splitNul(data);
  const changes: RawChange[] = [];
  for (let at = 0; at + 1 < parts.length; at += 2) {
    const match = /^:(\d{6}) (\d{6}) ([0-9a-f]+) ([0-9a-f]+) ([A-Z])\d*$/.exec(parts[at]!.toString('latin1'));
    if (match === null) continue;
    const [, oldMode, newMode, oldId, newId, status] = match;
    changes.push({
      oldMode: oldMode!,
      newMode: newMode!,
      oldId: oldId!,
      newId: newId!,
      status: status!,
      path: parts[at + 1]!,
    });
  }
  return changes;
}

/** Reads `git ls-tree -z -l` output. */
export function treeEntries(data: Buffer): TreeEntry[] {
  return splitNul(data).flatMap((line) => {
    const tab = line.indexOf(9);
    const match = /^(\d{6}) (\w+) ([0-9a-f]+) +(\d+|-)$/.exec(line.subarray(0, tab).toString('latin1'));
    if (tab === -1 || match === null) return [];
    const [, mode, type, id, bytes] = match;
    const path = line.subarray(tab + 1);
    return [{ mode: mode!, type: type!, id: id!, bytes: bytes === '-' ? null : Number(bytes), path }];
  });
}

/** A path for people: text where it is UTF-8, otherwise with the odd bytes as `\xNN`; controls are escaped. */
export function shownPath(path: Uint8Array): string {
  const bytes = Buffer.from(path);
  const text = bytes.toString('utf8');
  const readable = Buffer.from(text, 'utf8').equals(bytes) ? text : bytes.toString('latin1');
  const escapeAll = readable !== text;
  return Array.from(readable, (character) => {
    const code = character.codePointAt(0)!;
    const plain = code >= 0x20 && code !== 0x7f && !(escapeAll && code > 0x7f) && !isInvisible(code);
    if (plain) return character;
    return code > 0xff ? `\\u{${code.toString(16)}}` : `\\x${code.toString(16).padStart(2, '0')}`;
  }).join('');
}

/** Characters that reorder or hide text on a screen. */
function isInvisible(code: number): boolean {
  return (
    (code >= 0x80 && code <= 0x9f) ||
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x202a && code <= 0x202e) ||
    (code >= 0x2060 && code <= 0x206f) ||
    code === 0xfeff
  );
}
