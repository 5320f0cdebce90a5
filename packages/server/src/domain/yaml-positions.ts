import { isMap, isNode, isScalar, isSeq, type Document, type LineCounter } from 'yaml';

/** A place in a YAML file, both counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Finds where things stand in a parsed YAML document. */
export interface Locator {
  /** The value at `path`, or the nearest thing around it that exists. */
  value(path: readonly PropertyKey[]): Position;
  /** The key `key` of the map at `path`. */
  key(path: readonly PropertyKey[], key: string): Position;
}

/** The place of an offset; the beginning of the file where there is none. */
export function positionAt(lines: LineCounter, offset: number | undefined): Position {
  if (offset === undefined) return { line: 1, column: 1 };
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

export function locatorOf(document: Document, lines: LineCounter): Locator {
  const nodeAt = (path: readonly PropertyKey[]): unknown => {
    let node: unknown = document.contents;
    for (const part of path) {
      let next: unknown;
      if (isMap(node)) next = node.items.find((pair) => keyText(pair.key) === String(part))?.value;
      else if (isSeq(node) && typeof part === 'number') next = node.items[part];
      if (!isNode(next)) return node;
      node = next;
    }
    return node;
  };
  const at = (node: unknown): Position => positionAt(lines, isNode(node) ? node.range?.[0] : undefined);
  return {
    value: (path) => at(nodeAt(path)),
    key: (path, key) => {
      const node = nodeAt(path);
      const pair = isMap(node) ? node.items.find((item) => keyText(item.key) === key) : undefined;
      return at(pair !== undefined && isNode(pair.key) ? pair.key : node);
    },
  };
}

function keyText(key: unknown): string | null {
  return isScalar(key) ? String(key.value) : null;
}
