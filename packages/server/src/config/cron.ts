import { CronExpressionParser } from 'cron-parser';

/** No zone's clocks jump by more: from so far back, an hour that exists twice is met from its first time on. */
const longestFoldMs = 3 * 3_600_000;
const dayMs = 86_400_000;
/** Windows in which the last occurrence is looked for, so that a dense expression is not walked for a year. */
const windowsMs = [dayMs / 24, dayMs, 32 * dayMs, 400 * dayMs, 8 * 366 * dayMs];
/** `H` (a hash) and `W` mean something else to each program; what is left is what every cron knows, and `L` and `#`. */
const allowed = /^[0-9A-Za-z*/,\-#?]+$/;
const words = /\b(?:sun|mon|tue|wed|thu|fri|sat|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\b/gi;

/**
 * What is wrong with a cron expression of five fields; null: nothing. One that never comes (30 February) is wrong too.
 * @param timeZone of the IANA database, valid
 */
export function cronFault(cron: string, timeZone: string): string | null {
  const fields = cron.trim().split(/\s+/);
  if (fields.length !== 5) return 'five fields are needed: minute hour day-of-month month day-of-week';
  const odd = fields.find(
    (field) => !allowed.test(field) || /[a-z]/i.test(field.replaceAll(words, '').replaceAll('L', '')),
  );
  if (odd !== undefined) return `${odd} is no field of a cron expression`;
  try {
    parse(cron, timeZone, Date.now()).next();
    return null;
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return /Out of the time span|Loop limit|Invalid explicit/i.test(said)
      ? 'it never comes'
      : `${said.charAt(0).toLowerCase()}${said.slice(1)}`;
  }
}

/**
 * The planned times (ms since 1970) after `afterMs` up to `untilMs`, in order. A local time that does not exist (clocks
 * go forward) fires once, right behind the gap; one that exists twice fires at its first. An expression whose hour is
 * `*` fires in each real hour. Pure.
 */
export function occurrences(
  cron: string,
  timeZone: string,
  range: { readonly afterMs: number; readonly untilMs: number; readonly most: number },
): number[] {
  const found: number[] = [];
  try {
    const walk = parse(cron, timeZone, settledBefore(timeZone, range.afterMs));
    while (found.length < range.most) {
      const at = walk.next().toDate().getTime();
      if (at > range.untilMs) break;
      if (at > range.afterMs && at !== found.at(-1)) found.push(at);
    }
  } catch {
    // It never comes (again): the configuration was checked, so nothing else is left.
  }
  return found;
}

/** The next planned times after `afterMs`. Pure. */
export function nextOccurrences(cron: string, timeZone: string, afterMs: number, count: number): number[] {
  return occurrences(cron, timeZone, { afterMs, untilMs: Number.MAX_SAFE_INTEGER, most: count });
}

/** The last planned time after `afterMs` up to `untilMs`; null: there was none. Pure. */
export function lastOccurrence(
  cron: string,
  timeZone: string,
  afterMs: number,
  untilMs: number,
): number | null {
  for (const windowMs of windowsMs) {
    const fromMs = Math.max(afterMs, untilMs - windowMs);
    const last = occurrences(cron, timeZone, { afterMs: fromMs, untilMs, most: 100_000 }).at(-1);
    if (last !== undefined) return last;
    if (fromMs === afterMs) break;
  }
  return null;
}

/** Where to begin so that clocks that went back just before are met; walking is slow, so only then further back. */
function settledBefore(timeZone: string, afterMs: number): number {
  const beforeMs = afterMs - longestFoldMs;
  return offsetOf(timeZone, beforeMs) === offsetOf(timeZone, afterMs) ? afterMs : beforeMs;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Such as `GMT+02:00`. */
function offsetOf(timeZone: string, atMs: number): string {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' });
    formats.set(timeZone, format);
  }
  return format.formatToParts(atMs).find(({ type }) => type === 'timeZoneName')?.value ?? '';
}

function parse(cron: string, tz: string, currentDate: number) {
  return CronExpressionParser.parse(cron.trim(), { tz, currentDate: new Date(currentDate) });
}
