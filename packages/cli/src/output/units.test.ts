import { expect, test } from 'vitest';
import { ago, clock, count, duration, spell, stamp } from './units.ts';

test('durations are read at a glance', () => {
  expect([100, 3_140, 9_960, 21_000, 59_400, 59_600, 122_000, 3_723_000].map(duration)).toEqual([
    '0.1s',
    '3.1s',
    '10s',
    '21s',
    '59s',
    '0:59',
    '2:02',
    '1:02:03',
  ]);
  expect([0, 9_000, 161_000, -5].map(clock)).toEqual(['0:00', '0:09', '2:41', '0:00']);
  expect([9_000, 60_000, 72_000, 7_500_000, 3 * 86_400_000].map(spell)).toEqual([
    '9 s',
    '1 min',
    '1 min 12 s',
    '2 h 5 min',
    '3 d',
  ]);
});

test('ages have one unit, and a clock that is behind counts as now', () => {
  const at = (ms: number): string => ago(new Date(1_000_000_000_000 - ms).toISOString(), 1_000_000_000_000);
  expect([-5_000, 9_000, 720_000, 7_200_000, 200_000_000].map(at)).toEqual([
    '0 s ago',
    '9 s ago',
    '12 min ago',
    '2 h ago',
    '2 d ago',
  ]);
});

test('counts are short', () => {
  expect([0, 950, 999.6, 118_000, 999_499, 1_500_000].map(count)).toEqual([
    '0',
    '950',
    '1000',
    '118k',
    '999k',
    '1.5M',
  ]);
});

test('stamps are whole seconds in UTC', () => {
  expect(stamp('2026-11-21T13:05:07.999+01:00')).toBe('2026-11-21T12:05:07Z');
});
