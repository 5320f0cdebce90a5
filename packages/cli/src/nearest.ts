/** The words that `wrong` was most likely meant to be: the closest ones, when any is close. */
export function nearest(wrong: string, words: readonly string[]): string[] {
  const distances = words.map((word) => ({ word, distance: distance(wrong, word) }));
  const least = Math.min(...distances.map((one) => one.distance));
  // Half of the letters may be wrong, three at most; more is a guess, not a correction.
  if (least > Math.min(3, Math.ceil(wrong.length / 2))) return [];
  return distances.filter((one) => one.distance === least).map((one) => one.word);
}

/** Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other. */
function distance(from: string, to: string): number {
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= from.length; row += 1) {
    rows.push([row]);
    for (let column = 1; column <= to.length; column += 1) {
      const isSame = from[row - 1] === to[column - 1];
      const isSwap = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      rows[row]![column] = Math.min(
        rows[row - 1]![column]! + 1,
        rows[row]![column - 1]! + 1,
        rows[row - 1]![column - 1]! + (isSame ? 0 : 1),
        isSwap ? rows[row - 2]![column - 2]! + 1 : Infinity,
      );
    }
  }
  return rows[from.length]![to.length]!;
}
