import { withoutHidden } from './clean-text.ts';

const maxLinesCompared = 20_000;
const maxShownLines = 24;

/** The part of a file most like `old`, with line numbers: what a failed edit shows. */
export function nearest(text: string, old: string): string {
  const lines = text.split(/\r?\n/).slice(0, maxLinesCompared);
  const wanted = old.split('\n').filter((line) => line.trim() !== '');
  if (lines.length === 0 || wanted.length === 0) return 'The file is empty.';
  const wantedKeys = new Map<string, number>();
  for (const line of wanted) wantedKeys.set(key(line), (wantedKeys.get(key(line)) ?? 0) + 1);
  const wantedWords = wanted.map((line) => words(line));

  // How well each line answers to any wanted one: 2 when the same but for white space, else shared words.
  const scores = lines.map((line) => {
    if (wantedKeys.has(key(line)) && line.trim() !== '') return 2;
    const mine = words(line);
    return Math.max(0, ...wantedWords.slice(0, 50).map((other) => overlap(mine, other)));
  });
  const span = Math.min(Math.max(old.split('\n').length, 1), lines.length);
  let sum = scores.slice(0, span).reduce((total, score) => total + score, 0);
  let best = { at: 0, sum };
  for (let at = 1; at + span <= lines.length; at++) {
    sum += scores[at + span - 1]! - scores[at - 1]!;
    if (sum > best.sum + 1e-9) best = { at, sum };
  }
  if (best.sum < 0.3) return 'Nothing in the file is like it. Read the file before you try again.';
  const from = Math.max(0, best.at - 2);
  const to = Math.min(lines.length, best.at + Math.min(span, maxShownLines) + 2);
  const shown = lines
    .slice(from, to)
    .map((line, n) => `${String(from + n + 1).padStart(6)}\t${withoutHidden(line.slice(0, 300))}`);
  return `Nearest lines:\n${shown.join('\n')}`;
}

const key = (line: string): string => line.trim().replaceAll(/\s+/g, ' ');

function words(line: string): Set<string> {
  return new Set(line.slice(0, 1000).match(/[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? []);
}

/** Shared words over all words, 0 to 1. */
function overlap(one: ReadonlySet<string>, other: ReadonlySet<string>): number {
  if (one.size === 0 || other.size === 0) return 0;
  let shared = 0;
  for (const word of one) if (other.has(word)) shared++;
  return shared / (one.size + other.size - shared);
}
