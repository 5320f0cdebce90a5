import { withoutHidden } from './clean-text.ts';

const contextLines = 3;
/** Past this many cells the middle is shown as replaced whole instead of being compared line by line. */
const maxCells = 1_000_000;
const maxShownLines = 200;
const maxLineCharacters = 300;

type Piece = { readonly sign: ' ' | '-' | '+'; readonly line: string };

/** A unified diff of two texts, bounded, for the model and for people to read (not to apply). */
export function unifiedDiff(
  path: string,
  before: string,
  after: string,
): { readonly text: string; readonly added: number; readonly removed: number } {
  const pieces = compare(lines(before), lines(after));
  const added = pieces.filter((piece) => piece.sign === '+').length;
  const removed = pieces.filter((piece) => piece.sign === '-').length;
  const shown: string[] = [`--- ${path}`, `+++ ${path}`, ...hunks(pieces)];
  const text =
    shown.length <= maxShownLines
      ? shown
      : [
          ...shown.slice(0, maxShownLines),
          `[… ${shown.length - maxShownLines} lines of the diff left out …]`,
        ];
  return { text: text.join('\n'), added, removed };
}

function lines(text: string): string[] {
  if (text === '') return [];
  const parts = text.split('\n');
  if (parts.at(-1) === '') parts.pop();
  else parts.push(`${parts.pop()!}\n\\ no line break at the end`);
  return parts;
}

function compare(before: readonly string[], after: readonly string[]): Piece[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let end = 0;
  while (
    end < before.length - start &&
    end < after.length - start &&
    before[before.length - 1 - end] === after[after.length - 1 - end]
  ) {
    end++;
  }
  const same = (line: string): Piece => ({ sign: ' ', line });
  return [
    ...before.slice(0, start).map(same),
    ...middle(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...before.slice(before.length - end).map(same),
  ];
}

/** Longest common subsequence by the textbook table; replaced whole when the table would be too large. */
function middle(before: readonly string[], after: readonly string[]): Piece[] {
  const width = after.length + 1;
  if (before.length === 0 || after.length === 0 || before.length * after.length > maxCells) {
    return [
      ...before.map((line): Piece => ({ sign: '-', line })),
      ...after.map((line): Piece => ({ sign: '+', line })),
    ];
  }
  const length = new Uint32Array((before.length + 1) * width);
  for (let b = before.length - 1; b >= 0; b--) {
    for (let a = after.length - 1; a >= 0; a--) {
      length[b * width + a] =
        before[b] === after[a]
          ? length[(b + 1) * width + a + 1]! + 1
          : Math.max(length[(b + 1) * width + a]!, length[b * width + a + 1]!);
    }
  }
  const pieces: Piece[] = [];
  let b = 0;
  let a = 0;
  while (b < before.length || a < after.length) {
    if (b < before.length && a < after.length && before[b] === after[a]) {
      pieces.push({ sign: ' ', line: before[b++]! });
      a++;
    } else if (
      b < before.length &&
      (a >= after.length || length[(b + 1) * width + a]! >= length[b * width + a + 1]!)
    ) {
      pieces.push({ sign: '-', line: before[b++]! });
    } else {
      pieces.push({ sign: '+', line: after[a++]! });
    }
  }
  return pieces;
}

function hunks(pieces: readonly Piece[]): string[] {
  const shown: string[] = [];
  const near = new Uint8Array(pieces.length);
  pieces.forEach((piece, place) => {
    if (piece.sign === ' ') return;
    near.fill(1, Math.max(0, place - contextLines), place + contextLines + 1);
  });
  let beforeLine = 1;
  let afterLine = 1;
  for (let place = 0; place < pieces.length; place++) {
    const piece = pieces[place]!;
    if (near[place] === 1) {
      if (near[place - 1] !== 1) {
        const length = hunkLength(near, place);
        const part = pieces.slice(place, place + length);
        const count = (sign: '-' | '+') => part.filter((one) => one.sign !== sign).length;
        shown.push(`@@ -${beforeLine},${count('+')} +${afterLine},${count('-')} @@`);
      }
      const line = withoutHidden(piece.line);
      shown.push(
        piece.sign +
          (line.length <= maxLineCharacters ? line : `${line.slice(0, maxLineCharacters)}… (line cut)`),
      );
    }
    if (piece.sign !== '+') beforeLine++;
    if (piece.sign !== '-') afterLine++;
  }
  return shown;
}

function hunkLength(near: Uint8Array, from: number): number {
  let length = 0;
  while (near[from + length] === 1) length++;
  return length;
}
