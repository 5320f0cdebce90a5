import { expect, test } from 'vitest';
import { durationMs, parseLimits } from './limits.ts';

test('limits are repeatable and comma-separated, the last one of a name counts', () => {
  expect(parseLimits(['cost=2,time=30m', 'tokens=1.5m', 'steps=80', 'rounds=0', 'cost=$0.50'])).toEqual({
    costUsd: 0.5,
    minutes: 30,
    tokens: 1_500_000,
    steps: 80,
    rounds: 0,
  });
  expect(parseLimits(['minutes=10'])).toEqual({ minutes: 10 });
  expect(parseLimits([])).toEqual({});
});

test('durations are made of hours, minutes and seconds', () => {
  expect(['90s', '30m', '2h', '1h30m', '0.5s'].map(durationMs)).toEqual([
    90_000, 1_800_000, 7_200_000, 5_400_000, 500,
  ]);
  expect(['', '30', 'm', '0s', '1d', '30m1h', '-5m'].map(durationMs)).toEqual(
    Array.from({ length: 7 }, () => null),
  );
});

test('nonsense is refused with a code, name by name', () => {
  for (const text of [
    'cost=1e9',
    'cost=20000',
    'steps=0',
    'tokens=0',
    'rounds=3',
    'time=8d',
    'minutes=99999',
    'x=1',
    '=',
  ]) {
    expect(() => parseLimits([text])).toThrow(expect.objectContaining({ code: 'LIMIT_INVALID' }) as Error);
  }
});
