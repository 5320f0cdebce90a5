/** What one tool's output says failed. */
export interface Found {
  /** Names of the failing items, one per failing test, error or file; may repeat. */
  readonly items: readonly string[];
  /** Line ranges worth showing, `[from, to)`. */
  readonly ranges: readonly (readonly [number, number])[];
}

/**
 * Reads one tool's output. Answers null when nothing of the kind is in it. The output is hostile: no pattern may hold
 * two repetitions that can match the same text, or a line of 2,000 characters takes seconds.
 */
export type Extractor = (lines: readonly string[]) => Found | null;

const maxItems = 2_000;

type LineTest = (line: string) => boolean;

/** Index of the first line at or after `from` that matches; the end when none does. */
function next(lines: readonly string[], from: number, wanted: RegExp | LineTest): number {
  const matches = typeof wanted === 'function' ? wanted : (line: string): boolean => wanted.test(line);
  for (let at = from; at < lines.length; at += 1) if (matches(lines[at]!)) return at;
  return lines.length;
}

/** The matches of a pattern with one or more groups, as items, with `around` lines after each as its range. */
function matching(lines: readonly string[], pattern: RegExp, around = 1): Found | null {
  const items: string[] = [];
  const ranges: [number, number][] = [];
  lines.forEach((line, at) => {
    const match = pattern.exec(line);
    if (match === null || items.length >= maxItems) return;
    items.push(match.slice(1).filter(Boolean).join(' '));
    ranges.push([at, Math.min(lines.length, at + around)]);
  });
  return items.length === 0 ? null : { items, ranges };
}

/** A whole section, from the line that opens it to the line that closes it. */
function section(lines: readonly string[], open: RegExp, close: RegExp | LineTest): [number, number] | null {
  const from = next(lines, 0, open);
  return from === lines.length ? null : [from, next(lines, from + 1, close)];
}

const vitest: Extractor = (lines) => {
  const open = /⎯+ (?:Failed (?:Tests|Suites|Typechecks)|Unhandled (?:Errors?|Rejections?)) /;
  const range = section(lines, open, /^\s*Test Files\s/);
  if (range === null) return null;
  const fails = matching(lines, /^\s*FAIL\s+(?:\|[^|]*\|\s+)?(\S.*)$/)?.items.map((item) =>
    item.replace(/\s\[[^\][]*\]$/, ''),
  );
  const unhandled = lines.some((line) => /⎯+ Unhandled /.test(line))
    ? (matching(lines, /^(?:Unhandled )?((?:\w*Error|Unhandled Rejection)\b.*)$/)?.items ?? [
        'unhandled error',
      ])
    : [];
  const thresholds = matching(lines, /^(ERROR: Coverage for .*)$/)?.items ?? [];
  return { items: [...(fails ?? []), ...unhandled, ...thresholds], ranges: [range] };
};

const jest: Extractor = (lines) => {
  if (!lines.some((line) => line.startsWith('Test Suites: ') || /^FAIL \S/.test(line))) return null;
  const summary = next(lines, 0, /^Summary of all failing tests/);
  const until = summary === lines.length ? next(lines, 0, /^Test Suites: /) : summary;
  const items: string[] = [];
  const ranges: [number, number][] = [];
  for (let at = 0; at < until; at += 1) {
    const match = /^\s*● (?!Console)(.+)$/.exec(lines[at]!);
    if (match === null) continue;
    items.push(match[1]!.trim());
    ranges.push([at, Math.min(until, next(lines, at + 1, /^\s*● |^(?:PASS|FAIL) /))]);
  }
  const suites = matching(lines.slice(0, until), /^FAIL (\S+)/)?.items ?? [];
  const thresholds = matching(lines, /^(Jest: .*threshold.*)$/)?.items ?? [];
  if (items.length + suites.length + thresholds.length === 0) return null;
  return { items: [...items, ...suites, ...thresholds], ranges };
};

const nodeTest: Extractor = (lines) => {
  const from = next(lines, 0, /^(?:\S+ )?✖ failing tests:/);
  if (from < lines.length) {
    const found = matching(lines.slice(from + 1), /^\s*✖ (.+?)(?: \([\d.]+m?s\))?$/);
    return { items: found?.items ?? ['failing tests'], ranges: [[from, lines.length]] };
  }
  if (!lines.some((line) => /^TAP version 1[34]/.test(line))) return null;
  return matching(lines, /^\s*not ok \d+ - (?!.*# TODO)(.+)$/, 24);
};

/** `=== 1 failed, 2 passed in 0.12s ===` */
const isPytestSummary: LineTest = (line) =>
  /^=+ /.test(line) &&
  line.endsWith('=') &&
  line.includes(' in ') &&
  /\b(?:failed|errors?|passed)\b/.test(line);

const pytest: Extractor = (lines) => {
  const range = section(lines, /^=+ (?:FAILURES|ERRORS) =+$/, isPytestSummary);
  const found = matching(lines, /^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$/);
  if (found === null || (range === null && !lines.some((line) => /^=+ .* in [\d.]+s/.test(line))))
    return null;
  return { items: found.items, ranges: range === null ? found.ranges : [range] };
};

const unittest: Extractor = (lines) => {
  const range = section(lines, /^={70}$/, /^Ran \d+ tests? in /);
  const found = matching(lines, /^(?:FAIL|ERROR): (\S.*)$/);
  return found === null || range === null ? null : { items: found.items, ranges: [range] };
};

const goTest: Extractor = (lines) => {
  const known = lines.some((line) =>
    /^(?:FAIL\t|FAIL$|--- FAIL: |ok {2}\t|\?\s+\t|# \S+$|panic: )/.test(line),
  );
  if (!known) return null;
  const items: string[] = [];
  const ranges: [number, number][] = [];
  for (let at = 0; at < lines.length && items.length < maxItems; at += 1) {
    const line = lines[at]!;
    const test = /^\s*--- FAIL: (\S+)/.exec(line);
    const failed = /^FAIL\t(\S+)(?:\t[\d.]+s)?(.*)$/.exec(line);
    const build = /^(?:vet: )?(\S+\.go):\d+(?::\d+)?: (.+)$/.exec(line);
    const panic = /^(panic: .+?|fatal error: .+)$/.exec(line);
    if (test !== null) {
      items.push(test[1]!);
      // `go test` prints a test's log below its name, indented; `-v` prints it above.
      const end = next(lines, at + 1, /^(?:\s*--- |=== |FAIL|ok |PASS|exit status)/);
      ranges.push([at, Math.min(end, at + 40)]);
    } else if (failed !== null) {
      items.push(`package ${failed[1]}${failed[2] ?? ''}`);
      ranges.push([at, at + 1]);
    } else if (build !== null) {
      items.push(`${build[1]}: ${build[2]}`);
      ranges.push([at, at + 1]);
    } else if (panic !== null) {
      items.push(panic[1]!.replaceAll(/ \[recovered.*\]/g, ''));
      ranges.push([at, Math.min(lines.length, at + 24)]);
    }
  }
  return items.length === 0 ? null : { items, ranges };
};

const tsc: Extractor = (lines) =>
  matching(lines, /^(\S.*?)(?:\(\d+,\d+\): |:\d+:\d+ - )(error TS\d+: .+)$/, 1) ??
  matching(lines, /^(error TS\d+: .+)$/, 1);

const eslint: Extractor = (lines) => {
  let file = '';
  const items: string[] = [];
  const ranges: [number, number][] = [];
  lines.forEach((line, at) => {
    if (/^\S*[/\\.]\S*$/.test(line.trim()) && !/^\s*\d+:\d+/.test(line)) file = line.trim();
    const match = /^\s+\d+:\d+\s+error\s+(.+)$/.exec(line);
    if (match === null || items.length >= maxItems) return;
    items.push(`${file}: ${match[1]!.replaceAll(/\s{2,}/g, ' ')}`);
    const header = lines[at - 1]?.trim() === file ? at - 1 : at;
    ranges.push([header, at + 1]);
  });
  return items.length === 0 ? null : { items, ranges };
};

/** `file:line:column: code message` (ruff, mypy, flake8, gcc …), without the position, which shifts. */
const positioned: Extractor = (lines) =>
  matching(lines, /^(\S+\.(?!go\b)\w{1,6}):\d+(?::\d+)?: ((?:(?:fatal )?error\b|[A-Z]{1,4}\d{2,5}\b).*)$/, 3);

const prettier: Extractor = (lines) =>
  lines.some((line) => /Code style issues|Run Prettier/.test(line))
    ? matching(lines, /^\[(?:warn|error)\] (?!Code style|Run Prettier)(\S.*)$/)
    : null;

/** `black --check`, `ruff format --check`. */
const reformat: Extractor = (lines) => matching(lines, /^[Ww]ould reformat:? (\S.*)$/);

/** In the order in which they are asked; all that find something are used. */
export const extractors: ReadonlyArray<readonly [string, Extractor]> = [
  ['vitest', vitest],
  ['jest', jest],
  ['node', nodeTest],
  ['pytest', pytest],
  ['unittest', unittest],
  ['go', goTest],
  ['tsc', tsc],
  ['eslint', eslint],
  ['prettier', prettier],
  ['reformat', reformat],
  ['positioned', positioned],
];
