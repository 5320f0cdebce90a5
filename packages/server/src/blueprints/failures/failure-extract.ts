import { cleanLines, clip, normalise } from './clean-output.ts';
import { extractors } from './tools.ts';

/** Most bytes of a failure that a repair round and people are shown. */
export const maxFailureBytes = 6 * 1024;
/** Lines of the end that stand for a failure nobody recognises. */
const genericTailLines = 60;

export interface ExtractedFailure {
  /** Tools whose output was recognised; empty for the generic tail. */
  readonly tools: readonly string[];
  /** The failing part, for people and for the repair round; at most `maxFailureBytes`. Hostile text. */
  readonly text: string;
  /**
   * What failed, normalised, as a set that can be compared with another run of the same command. The second
   * occurrence of the same item carries `#2`, so that one more of the same is not overlooked.
   */
  readonly items: readonly string[];
}

/** The failing part of a check's output. Pure. */
export function extractFailure(output: string): ExtractedFailure {
  const lines = cleanLines(output);
  const found = extractors.flatMap(([tool, extract]) => {
    const part = extract(lines);
    return part === null ? [] : [{ tool, ...part }];
  });
  if (found.length === 0) {
    const kept = lines.filter((line) => line.trim() !== '').slice(-genericTailLines);
    return {
      tools: [],
      text: clip(kept.join('\n'), maxFailureBytes),
      items: numbered(kept.map(normalise)),
    };
  }
  return {
    tools: found.map((part) => part.tool),
    text: clip(
      joinRanges(
        lines,
        found.flatMap((part) => part.ranges),
      ),
      maxFailureBytes,
    ),
    items: numbered(found.flatMap((part) => part.items.map((item) => `${part.tool}: ${normalise(item)}`))),
  };
}

/** Whether everything that failed `after` had failed `before` in the same way. Two empty sets say nothing. */
export function failedBefore(after: readonly string[], before: readonly string[]): boolean {
  const known = new Set(before);
  return after.length > 0 && after.every((item) => known.has(item));
}

function numbered(items: readonly string[]): string[] {
  const counts = new Map<string, number>();
  return items
    .filter((item) => item !== '')
    .map((item) => {
      const count = (counts.get(item) ?? 0) + 1;
      counts.set(item, count);
      return count === 1 ? item : `${item}#${count}`;
    });
}

function joinRanges(lines: readonly string[], ranges: readonly (readonly [number, number])[]): string {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  const parts: string[] = [];
  let end = -1;
  for (const [from, to] of sorted) {
    if (to <= end) continue;
    if (end >= 0 && from > end) parts.push('…');
    parts.push(...lines.slice(Math.max(from, end), to));
    end = to;
  }
  return parts
    .join('\n')
    .replaceAll(/\n{3,}/g, '\n\n')
    .trim();
}
