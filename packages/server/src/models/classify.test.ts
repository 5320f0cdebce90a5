import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { errorRegistry } from '../domain/errors/index.ts';
import { classifyFailure } from './classify.ts';
import { openaiError, providerFailures } from '../testing/provider-failures.ts';
import type { ProviderFailure } from './classify.ts';

const nowMs = Date.parse('2026-11-21T12:00:00Z');
test.each(providerFailures)('%s → %s', (_what, code, failure) => {
  expect(classifyFailure({ message: 'failed', begun: false, ...failure }, nowMs).code).toBe(code);
});

describe('the time a usage window opens again', () => {
  const returns = (failure: Partial<ProviderFailure>): string | null => {
    const { returnsAtMs } = classifyFailure({ message: '', begun: false, status: 429, ...failure }, nowMs);
    return returnsAtMs === null ? null : new Date(returnsAtMs).toISOString();
  };
  const header = { 'anthropic-ratelimit-unified-status': 'rejected' };

  test.each([
    [
      'the unified header',
      { headers: { ...header, 'anthropic-ratelimit-unified-reset': '1795266000' } },
      '2026-11-21T13:00:00.000Z',
    ],
    [
      'resets_at',
      {
        body: JSON.stringify({ error: { type: 'usage_limit_reached', message: 'x', resets_at: 1795266000 } }),
      },
      '2026-11-21T13:00:00.000Z',
    ],
    [
      'resets_in_seconds',
      {
        body: JSON.stringify({ error: { type: 'usage_limit_reached', message: 'x', resets_in_seconds: 60 } }),
      },
      '2026-11-21T12:01:00.000Z',
    ],
    [
      'a bar and seconds',
      { body: openaiError('Claude AI usage limit reached|1795266000') },
      '2026-11-21T13:00:00.000Z',
    ],
    [
      'a date',
      { body: openaiError('API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.') },
      '2026-12-01T00:00:00.000Z',
    ],
    [
      'a date and time',
      { body: openaiError('Usage limit reached for 5 hour. Your limit will reset at 2026-11-21 17:30:00') },
      '2026-11-21T17:30:00.000Z',
    ],
    ['Retry-After', { headers: { ...header, 'retry-after': '90' } }, '2026-11-21T12:01:30.000Z'],
    ['nothing', { headers: header }, null],
  ])('is read from %s', (_where, failure, expected) => {
    expect(returns(failure)).toBe(expected);
  });
});

test('any answer of any server gets a code of the registry', () => {
  fc.assert(
    fc.property(
      fc.option(fc.integer({ min: 100, max: 999 }), { nil: undefined }),
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.json().map((inner) => `{"error":${inner}}`),
      ),
      fc.dictionary(
        fc.constantFrom(
          'retry-after',
          'retry-after-ms',
          'anthropic-ratelimit-unified-reset',
          'x-ratelimit-reset-tokens',
        ),
        fc.string(),
      ),
      fc.boolean(),
      (status, body, headers, begun) => {
        const failure = { message: 'x', body, headers, begun, ...(status === undefined ? {} : { status }) };
        const { code, waitMs, said } = classifyFailure(failure, nowMs);
        expect(Object.hasOwn(errorRegistry, code)).toBe(true);
        expect(waitMs === null || waitMs >= 0).toBe(true);
        expect(typeof said).toBe('string');
      },
    ),
  );
});
