import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { cronFault, lastOccurrence, nextOccurrences, occurrences } from './cron.ts';

const iso = (times: readonly number[]): string[] => times.map((time) => new Date(time).toISOString());
const between = (cron: string, zone: string, from: string, to: string): string[] =>
  iso(occurrences(cron, zone, { afterMs: Date.parse(from), untilMs: Date.parse(to), most: 1_000 }));

test('what is no cron expression is told', () => {
  expect(cronFault('30 2 * * 1-5', 'UTC')).toBeNull();
  expect(cronFault('*/15 8-18 1,15 JAN-MAR THU', 'UTC')).toBeNull();
  expect(cronFault('0 0 L * *', 'UTC')).toBeNull();
  expect(cronFault('0 2 * *', 'UTC')).toContain('five fields');
  expect(cronFault('0 0 2 * * *', 'UTC')).toContain('five fields');
  expect(cronFault('0 25 * * *', 'UTC')).toContain('25');
  expect(cronFault('H 2 * * *', 'UTC')).toBe('H is no field of a cron expression');
  expect(cronFault('0 0 30 2 *', 'UTC')).toBe('it never comes');
  expect(cronFault('0 $(id) * * *', 'UTC')).toContain('no field');
});

test('an hour that does not exist fires once, right behind the gap', () => {
  expect(between('30 2 * * *', 'Europe/Zurich', '2026-03-28T12:00:00Z', '2026-03-30T12:00:00Z')).toEqual([
    '2026-03-29T01:30:00.000Z',
    '2026-03-30T00:30:00.000Z',
  ]);
});

test('an hour that exists twice fires once, also when it is asked in between', () => {
  const night = ['2026-10-25T00:30:00.000Z'];
  expect(between('30 2 * * *', 'Europe/Zurich', '2026-10-24T12:00:00Z', '2026-10-25T12:00:00Z')).toEqual(
    night,
  );
  // 02:45 for the first time: the second 02:30 is still to come, and is none.
  expect(between('30 2 * * *', 'Europe/Zurich', '2026-10-25T00:45:00Z', '2026-10-25T12:00:00Z')).toEqual([]);
});

test('every hour is every real hour, on both days', () => {
  expect(between('0 * * * *', 'Europe/Zurich', '2026-10-24T23:30:00Z', '2026-10-25T02:30:00Z')).toHaveLength(
    3,
  );
  expect(between('0 * * * *', 'Europe/Zurich', '2026-03-28T23:30:00Z', '2026-03-29T02:30:00Z')).toHaveLength(
    3,
  );
});

test('a daily time fires exactly once on every day of a year, in zones of many rules', () => {
  const zones = [
    'Europe/Zurich',
    'America/New_York',
    'America/Santiago',
    'Asia/Beirut',
    'Australia/Sydney',
    'UTC',
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.integer({ min: 0, max: 23 }),
      fc.integer({ min: 0, max: 59 }),
      (zone, hour, minute) => {
        const format = new Intl.DateTimeFormat('en-CA', { timeZone: zone, dateStyle: 'short' });
        const times = occurrences(`${minute} ${hour} * * *`, zone, {
          afterMs: Date.parse('2026-01-01T12:00:00Z'),
          untilMs: Date.parse('2027-01-01T12:00:00Z'),
          most: 1_000,
        });
        const days = times.map((time) => format.format(time));
        expect(new Set(days).size).toBe(days.length);
        expect(days.length).toBe(365);
      },
    ),
    { numRuns: 6 },
  );
});

test('asking step by step finds the same times as asking at once', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('30 2 * * *', '*/20 1-3 * * *', '0 * * * *', '15 0,2 * * 0'),
      fc.integer({ min: 1, max: 90 }),
      (cron, stepMinutes) => {
        const [from, to] = [Date.parse('2026-10-24T22:00:00Z'), Date.parse('2026-10-25T06:00:00Z')];
        const stepped: number[] = [];
        for (let at = from; at < to; at += stepMinutes * 60_000) {
          const untilMs = Math.min(to, at + stepMinutes * 60_000);
          stepped.push(...occurrences(cron, 'Europe/Zurich', { afterMs: at, untilMs, most: 1_000 }));
        }
        expect(stepped).toEqual(
          occurrences(cron, 'Europe/Zurich', { afterMs: from, untilMs: to, most: 1_000 }),
        );
      },
    ),
    { numRuns: 25 },
  );
});

test('the last time before now is found in a dense and in a sparse expression', () => {
  const now = Date.parse('2026-06-15T10:20:30Z');
  const after = Date.parse('2020-01-01T00:00:00Z');
  expect(lastOccurrence('* * * * *', 'UTC', after, now)).toBe(Date.parse('2026-06-15T10:20:00Z'));
  expect(lastOccurrence('0 0 1 1 *', 'UTC', after, now)).toBe(Date.parse('2026-01-01T00:00:00Z'));
  expect(lastOccurrence('0 0 29 2 *', 'UTC', after, now)).toBe(Date.parse('2024-02-29T00:00:00Z'));
  expect(lastOccurrence('0 0 1 1 *', 'UTC', Date.parse('2026-01-01T00:00:00Z'), now)).toBeNull();
  expect(iso(nextOccurrences('0 9 * * MON', 'Europe/Zurich', now, 2))).toEqual([
    '2026-06-22T07:00:00.000Z',
    '2026-06-29T07:00:00.000Z',
  ]);
});
