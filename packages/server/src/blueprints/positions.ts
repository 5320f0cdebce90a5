import { isMap, isNode, isPair, isScalar, isSeq, type Document, type LineCounter } from 'yaml';

/** A place in a YAML file, both counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** One thing that is wrong with a blueprint, and where. */
export interface BlueprintProblem extends Position {
  /** What was found and what is allowed, for people. */
  readonly sentence: string;
}

/** Finds where things stand in a parsed YAML document. */
export interface Locator {
  /** The value at `path`, or the nearest thing around it that exists. */
  value(path: readonly PropertyKey[]): Position;
  /** The key `key` of the map at `path`. */
  key(path: readonly PropertyKey[], key: string): Position;
}

export function locatorOf(document: Document, lines: LineCounter): Locator {
  const at = (offset: number | undefined): Position => {
    if (offset === undefined) return { line: 1, column: 1 };
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };

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

  return {
    value: (path) => {
      const node = nodeAt(path);
      return at(isNode(node) ? node.range?.[0] : undefined);
    },
    key: (path, key) => {
      const node = nodeAt(path);
      if (isMap(node)) {
        const pair = node.items.find((item) => isPair(item) && keyText(item.key) === key);
        if (pair !== undefined && isNode(pair.key)) return at(pair.key.range?.[0]);
      }
      return at(isNode(node) ? node.range?.[0] : undefined);
    },
  };
}

function keyText(key: unknown): string | null {
  return isScalar(key) ? String(key.value) : null;
}
