import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BerthError } from '../domain/errors/index.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { retryAfterMs } from './retry-after.ts';
import { nextWaitMs, withRetries } from './retry.ts';

const policy = { attempts: 4, totalMs: 100_000, firstWaitMs: 1000, longestWaitMs: 8000 };
const nowMs = Date.parse('2026-11-21T12:00:00Z');

test.each([
  [{ 'retry-after-ms': '1500', 'retry-after': '9' }, 1500],
  [{ 'retry-after': '9' }, 9000],
  [{ 'retry-after': '0.5' }, 500],
  [{ 'retry-after': 'Sat, 21 Nov 2026 12:00:42 GMT' }, 42_000],
  [{ 'retry-after': 'Sat, 21 Nov 2026 11:00:00 GMT' }, 0],
  [{ 'retry-after': 'soon' }, null],
  [{ 'retry-after': '-5' }, null],
  [
    {
      'anthropic-ratelimit-tokens-reset': '2026-11-21T12:00:30Z',
      'anthropic-ratelimit-tokens-remaining': '0',
    },
    30_000,
  ],
  [
    {
      'anthropic-ratelimit-tokens-reset': '2026-11-21T12:00:30Z',
      'anthropic-ratelimit-tokens-remaining': '900',
    },
    null,
  ],
  [{ 'x-ratelimit-reset-requests': '6m0s', 'x-ratelimit-remaining-requests': '0' }, 360_000],
  [{ 'x-ratelimit-reset-tokens': '120ms', 'x-ratelimit-remaining-tokens': '0' }, 120],
  [{}, null],
])('reads the wait of %j', (headers, expected) => {
  expect(retryAfterMs(headers, nowMs)).toBe(expected);
});

test('the wait doubles with jitter, never exceeds its maximum nor the total, and is never shorter than asked', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 0, max: 120_000 }),
      fc.option(fc.integer({ min: 0, max: 200_000 })),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (attempt, elapsedMs, askedMs, random) => {
        const waitMs = nextWaitMs(policy, { attempt, elapsedMs, askedMs, random });
        if (waitMs === null) return;
        expect(attempt).toBeLessThan(policy.attempts);
        expect(elapsedMs + waitMs).toBeLessThanOrEqual(policy.totalMs + 1);
        if (askedMs === null) {
          const whole = Math.min(policy.longestWaitMs, policy.firstWaitMs * 2 ** (attempt - 1));
          expect(waitMs).toBeGreaterThanOrEqual(whole / 2);
          expect(waitMs).toBeLessThanOrEqual(whole);
        } else {
          expect(waitMs).toBeGreaterThanOrEqual(askedMs);
          expect(waitMs).toBeLessThanOrEqual(askedMs + 1001);
        }
      },
    ),
  );
});

test('a wait that was asked for and does not fit ends the call at once', () => {
  expect(nextWaitMs(policy, { attempt: 1, elapsedMs: 0, askedMs: 101_000, random: 0 })).toBeNull();
});

async function run(failures: readonly BerthError[], change: Partial<typeof policy> = {}) {
  const clock = new ManualClock();
  const waits: number[] = [];
  let calls = 0;
  const result = withRetries(
    () => {
      const failure = failures[calls++];
      return failure === undefined ? Promise.resolve('answer') : Promise.reject(failure);
    },
    {
      policy: { ...policy, ...change },
      clock,
      signal: new AbortController().signal,
      random: () => 0.999_999,
      onRetry: ({ waitMs }) => {
        waits.push(waitMs);
        setImmediate(() => void clock.advance(waitMs));
      },
    },
  ).then(
    (value) => ({ value, error: null }),
    (error: unknown) => ({ value: null, error: error as BerthError }),
  );
  return { ...(await result), waits, calls };
}

const overloaded = new BerthError('MODEL_OVERLOADED');

test('tries again until it succeeds', async () => {
  expect(await run([overloaded, overloaded])).toMatchObject({
    value: 'answer',
    waits: [1000, 2000],
    calls: 3,
  });
});

test('gives up after the last attempt with the last error and says how many there were', async () => {
  const { error, calls } = await run(Array.from({ length: 9 }, () => overloaded));
  expect(calls).toBe(4);
  expect(error).toMatchObject({ code: 'MODEL_OVERLOADED', details: { attempts: 4 } });
});

test('does not repeat what waiting does not mend', async () => {
  const { error, calls } = await run([new BerthError('MODEL_KEY_REJECTED')]);
  expect(calls).toBe(1);
  expect(error?.code).toBe('MODEL_KEY_REJECTED');
});
