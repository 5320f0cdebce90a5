import type { Limits } from '@berth/client';
import { failure } from './failure.ts';

/** `--limit` texts: repeatable and comma-separated (`cost=2,time=30m`). */
export function parseLimits(texts: readonly string[]): Limits {
  const limits: Limits = {};
  for (const text of texts.flatMap((one) => one.split(','))) {
    const [name = '', value = ''] = text.split('=', 2).map((part) => part.trim());
    if (value === '') throw failure('LIMIT_INVALID', `The limit ${JSON.stringify(text)} has no value.`);
    Object.assign(limits, oneLimit(name, value));
  }
  return limits;
}

function oneLimit(name: string, value: string): Limits {
  switch (name) {
    case 'cost':
      return { costUsd: number(name, value.replace(/^\$/, ''), 'more than 0, at most 10000', 10_000) };
    case 'tokens':
      return { tokens: whole(name, value, 1, Number.MAX_SAFE_INTEGER) };
    case 'steps':
      return { steps: whole(name, value, 1, 10_000) };
    case 'minutes':
      return { minutes: number(name, value, 'more than 0, at most 10080', 10_080) };
    case 'time':
      return { minutes: minutesOf(value) };
    case 'rounds':
      return { rounds: whole(name, value, 0, 2) };
    default:
      throw failure('LIMIT_INVALID', `There is no limit ${JSON.stringify(name)}.`);
  }
}

function number(name: string, value: string, range: string, most: number): number {
  const parsed = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
  if (!(parsed > 0 && parsed <= most)) throw wrong(name, value, `a number, ${range}`);
  return parsed;
}

function whole(name: string, value: string, least: number, most: number): number {
  const factor = { k: 1_000, m: 1_000_000 }[value.at(-1)?.toLowerCase() ?? ''] ?? 1;
  const digits = factor === 1 ? value : value.slice(0, -1);
  const parsed = /^\d+(\.\d+)?$/.test(digits) ? Number(digits) * factor : Number.NaN;
  if (!(Number.isSafeInteger(parsed) && parsed >= least && parsed <= most)) {
    throw wrong(name, value, `a whole number, ${least} to ${most}`);
  }
  return parsed;
}

function minutesOf(value: string): number {
  const minutes = durationMs(value);
  if (minutes === null || minutes > 10_080 * 60_000) throw wrong('time', value, 'like 90s, 30m or 2h');
  return minutes / 60_000;
}

/** Milliseconds of `90s`, `30m`, `2h`, `1h30m`; null when it is none of these or nothing. */
export function durationMs(text: string): number | null {
  const match = /^(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?$/.exec(text);
  if (match === null) return null;
  const [, hours = '0', minutes = '0', seconds = '0'] = match;
  const ms = (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * 1_000;
  return ms > 0 ? ms : null;
}

function wrong(name: string, value: string, wanted: string): Error {
  return failure('LIMIT_INVALID', `The limit ${name} must be ${wanted}; ${JSON.stringify(value)} is not.`);
}
