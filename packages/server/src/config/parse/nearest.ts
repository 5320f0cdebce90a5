/** Longer keys are nobody's slip of the finger, and comparing them costs. */
const longestKey = 64;

/** The known name that is at most two edits away from `key` (one for short keys), the nearest first; or null. */
export function nearest(key: string, known: readonly string[]): string | null {
  if (key.length > longestKey) return null;
  const most = key.length <= 4 ? 1 : 2;
  let found: { name: string; distance: number } | null = null;
  for (const name of known) {
    const distance = edits(key.toLowerCase(), name.toLowerCase());
    if (distance <= most && (found === null || distance < found.distance)) found = { name, distance };
  }
  return found?.name ?? null;
}

function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, place) => place);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
