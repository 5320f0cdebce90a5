import type { Change } from './apply-change.ts';
import { nearest } from './edit-nearest.ts';

export interface Replacement {
  readonly old: string;
  readonly new: string;
  readonly all: boolean;
}

/**
 * Replaces `old` by `new` in a file's text. Tried in order, each accepted only where exactly one place fits: the
 * exact text; the same lines but for white space at their ends; the same lines but for a shift of indentation
 * (the new lines are shifted alike); the same lines but for amounts of white space inside them. A tier with
 * several places ends the search: a looser one could only guess. Everything outside the replaced part stays
 * byte for byte, line endings included; new lines get the line ending of the place they go to.
 */
export function replaceText(text: string, wanted: Replacement): Change {
  const old = wanted.old.replaceAll('\r\n', '\n');
  const fresh = wanted.new.replaceAll('\r\n', '\n');
  if (old === '') return { ok: false, problem: 'old is empty. Use write for a new file.' };
  if (old === fresh) return { ok: false, problem: 'old and new are the same text.' };
  const exact = exactly(text, old, fresh, wanted.all);
  if (exact !== null) return exact;
  if (old.trim() === '')
    return { ok: false, problem: 'old holds nothing but white space, and it does not occur exactly so.' };
  if (!wanted.all) {
    for (const tier of tiers) {
      const change = byLines(text, old, fresh, tier);
      if (change !== null) return change;
    }
  }
  return { ok: false, problem: `old does not occur in the file.\n${nearest(text, old)}` };
}

function exactly(text: string, old: string, fresh: string, all: boolean): Change | null {
  // Matching happens on a copy with plain line feeds; `raw` leads from a place in it to the place in the file.
  const plain = text.replaceAll('\r\n', '\n');
  const places: number[] = [];
  for (let at = plain.indexOf(old); at !== -1; at = plain.indexOf(old, at + (all ? old.length : 1))) {
    places.push(at);
  }
  if (places.length === 0) return null;
  if (places.length > 1 && !all) {
    const found = places.map((place) => lineOf(plain, place));
    return {
      ok: false,
      problem: `old occurs ${places.length} times (lines ${listed(found)}). Add surrounding lines to make it unique, or set all.`,
    };
  }
  const raw = rawPlaces(text);
  let result = '';
  let from = 0;
  for (const place of places) {
    const start = raw(place);
    const end = raw(place + old.length);
    result += text.slice(from, start) + withEnding(fresh, endingAt(text, start, end));
    from = end;
  }
  const note = places.length > 1 ? `Replaced ${places.length} occurrences.` : undefined;
  return { ok: true, text: result + text.slice(from), ...(note === undefined ? {} : { note }) };
}

/** From an index into the text with plain line feeds to the index into the text itself. */
function rawPlaces(text: string): (plain: number) => number {
  const breaks: number[] = [];
  for (let at = text.indexOf('\r\n'); at !== -1; at = text.indexOf('\r\n', at + 2)) {
    breaks.push(at - breaks.length);
  }
  return (plain) => {
    let low = 0;
    let high = breaks.length;
    while (low < high) {
      const between = (low + high) >> 1;
      if (breaks[between]! < plain) low = between + 1;
      else high = between;
    }
    return plain + low;
  };
}

/** The line ending of the replaced part, or of the nearest line break, or of the file. */
function endingAt(text: string, start: number, end: number): '\n' | '\r\n' {
  let at = text.slice(start, end).indexOf('\n');
  at = at === -1 ? text.indexOf('\n', end) : at + start;
  if (at === -1) at = text.lastIndexOf('\n', start - 1);
  return at > 0 && text[at - 1] === '\r' ? '\r\n' : '\n';
}

function withEnding(text: string, ending: '\n' | '\r\n'): string {
  return ending === '\n' ? text : text.replaceAll('\n', '\r\n');
}

interface Tier {
  readonly note: string;
  /** What of a line must be equal. */
  readonly key: (line: string) => string;
  /** Whether indentation may differ, by the same shift on every line. */
  readonly shifts: boolean;
}

const inner = (line: string): string => line.trim().replaceAll(/[ \t]+/g, ' ');
const tiers: readonly Tier[] = [
  { note: 'Matched but for white space at line ends.', key: (line) => line.trimEnd(), shifts: false },
  { note: 'Matched but for indentation, which was kept.', key: (line) => line.trim(), shifts: true },
  { note: 'Matched but for white space.', key: inner, shifts: true },
];

function byLines(text: string, old: string, fresh: string, tier: Tier): Change | null {
  const wanted = old.split('\n');
  const endsLine = wanted.at(-1) === '';
  if (endsLine) wanted.pop();
  const lines = splitLines(text);
  const wantedKeys = wanted.map((line) => tier.key(line));
  const keys = lines.map((line) => tier.key(line.text));
  const fits: { readonly at: number; readonly shift: Shift }[] = [];
  for (let at = 0; at + wanted.length <= lines.length; at++) {
    if (!wantedKeys.every((key, n) => keys[at + n] === key)) continue;
    const found = lines.slice(at, at + wanted.length).map((line) => line.text);
    const shift = tier.shifts ? shiftBetween(wanted, found) : noShift;
    if (shift !== null) fits.push({ at, shift });
  }
  if (fits.length === 0) return null;
  if (fits.length > 1) {
    return {
      ok: false,
      problem: `old does not occur exactly; with white space forgiven it fits ${fits.length} places (lines ${listed(fits.map((fit) => fit.at + 1))}). Copy the text exactly, with surrounding lines.`,
    };
  }
  const { at, shift } = fits[0]!;
  const last = lines[at + wanted.length - 1]!;
  const start = lines[at]!.start;
  const end = last.start + last.text.length;
  const freshLines = fresh.split('\n');
  const endsFresh = endsLine && freshLines.at(-1) === '';
  if (endsFresh) freshLines.pop();
  const ending = endingAt(text, start, Math.min(text.length, end + last.ending.length));
  const shifted = freshLines.map((line) => shift(line)).join(ending);
  // `old` ended with a line break and `new` does not: the break goes too, as it would in an exact match.
  const from = endsLine && !endsFresh ? end + last.ending.length : end;
  const deletes = endsFresh && freshLines.length === 0;
  const rest = text.slice(deletes ? end + last.ending.length : from);
  return { ok: true, text: text.slice(0, start) + shifted + rest, note: tier.note };
}

interface Line {
  readonly text: string;
  readonly ending: string;
  readonly start: number;
}

function splitLines(text: string): Line[] {
  const lines: Line[] = [];
  let start = 0;
  while (start < text.length) {
    const feed = text.indexOf('\n', start);
    const stop = feed === -1 ? text.length : feed + 1;
    const whole = text.slice(start, stop);
    const ending = /\r?\n$/.exec(whole)?.[0] ?? '';
    lines.push({ text: whole.slice(0, whole.length - ending.length), ending, start });
    start = stop;
  }
  return lines;
}

type Shift = (line: string) => string;
const noShift: Shift = (line) => line;
const indentOf = (line: string): string => /^[ \t]*/.exec(line)![0];

/** From one indentation to another; null where it does not apply. */
type IndentMap = (indent: string) => string | null;

const unitWidths = [2, 4, 8, 3];
/** Spaces for tabs and tabs for spaces, depth by depth. */
const unitMaps: readonly IndentMap[] = unitWidths.flatMap((width): IndentMap[] => [
  (indent) =>
    /^ *$/.test(indent) && indent.length % width === 0 ? '\t'.repeat(indent.length / width) : null,
  (indent) => (/^\t*$/.test(indent) ? ' '.repeat(indent.length * width) : null),
]);

/**
 * The one change of indentation that turns every wanted line into the found one: none, another unit, or the same
 * characters added or taken at the front. Null when the lines are not shifted alike: then nesting differs, and
 * new lines would land at a wrong depth.
 */
function shiftBetween(wanted: readonly string[], found: readonly string[]): Shift | null {
  const pairs = wanted.flatMap((line, place): [string, string][] =>
    line.trim() === '' ? [] : [[indentOf(line), indentOf(found[place]!)]],
  );
  const first = pairs[0];
  if (first === undefined) return null;
  const maps: readonly IndentMap[] = [(indent) => indent, ...unitMaps, frontMap(...first)];
  const map = maps.find((one) => pairs.every(([mine, theirs]) => one(mine) === theirs));
  if (map === undefined) return null;
  return (line) => {
    const indent = indentOf(line);
    return line.trim() === '' ? line : (map(indent) ?? indent) + line.slice(indent.length);
  };
}

/** Replaces the front in which both differ; what they share at the end is depth and stays. */
function frontMap(mine: string, theirs: string): IndentMap {
  let common = 0;
  while (common < mine.length && mine[mine.length - 1 - common] === theirs[theirs.length - 1 - common]) {
    common++;
  }
  const isPure = common === mine.length || common === theirs.length;
  const from = isPure ? mine.slice(0, mine.length - common) : mine;
  const to = isPure ? theirs.slice(0, theirs.length - common) : theirs;
  return (indent) => (indent.startsWith(from) ? to + indent.slice(from.length) : null);
}

function lineOf(text: string, place: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < place; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

function listed(numbers: readonly number[]): string {
  const shown = numbers.slice(0, 10).join(', ');
  return numbers.length > 10 ? `${shown} …` : shown;
}
