import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ModelPrice, ModelUsage } from '../domain/ports/model.ts';
import table from './generated/prices.json' with { type: 'json' };
import { clampOutput, costUsd, factsOf, priceOf, upperBoundUsd } from './prices.ts';

const price: ModelPrice = { input: 3, output: 15, cacheRead: 0.3, cacheWrite: 3.75 };
const amount = fc.integer({ min: 0, max: 2_000_000 });
const dollars = fc.double({ min: 0, max: 200, noNaN: true });
const anyPrice = fc.record({ input: dollars, output: dollars, cacheRead: dollars, cacheWrite: dollars });
const usage: fc.Arbitrary<ModelUsage> = fc
  .record({ plain: amount, cachedInputTokens: amount, cacheWriteTokens: amount, outputTokens: amount })
  .map(({ plain, ...rest }) => ({
    ...rest,
    inputTokens: plain + rest.cachedInputTokens + rest.cacheWriteTokens,
    reasoningTokens: 0,
  }));

test('a million tokens of each kind cost what the table says', () => {
  const million = {
    inputTokens: 3e6,
    cachedInputTokens: 1e6,
    cacheWriteTokens: 1e6,
    outputTokens: 1e6,
    reasoningTokens: 5e5,
  };
  expect(costUsd(million, price)).toBeCloseTo(3 + 0.3 + 3.75 + 15, 10);
  expect(costUsd(million, 'flat')).toBe(0);
  expect(costUsd(million, null)).toBeNull();
});

test('the upper bound is never below the cost of a call that stays within it', () => {
  fc.assert(
    fc.property(usage, anyPrice, amount, amount, (used, at, moreInput, moreOutput) => {
      const bound = upperBoundUsd({
        estimatedInputTokens: used.inputTokens + moreInput,
        maxOutputTokens: used.outputTokens + moreOutput,
        price: at,
      });
      expect(bound! * (1 + 1e-12)).toBeGreaterThanOrEqual(costUsd(used, at)!);
    }),
  );
});

test('a clamped output never costs more than is left, and one token more would', () => {
  fc.assert(
    fc.property(
      anyPrice,
      fc.integer({ min: 1, max: 100_000 }),
      fc.double({ min: 0, max: 50, noNaN: true }),
      (at, input, leftUsd) => {
        const call = {
          askedTokens: 32_000,
          modelMaxTokens: 64_000,
          contextTokens: 200_000,
          estimatedInputTokens: input,
          price: at,
        };
        const most = clampOutput({ ...call, leftUsd });
        expect(most).toBeLessThanOrEqual(32_000);
        const bound = (tokens: number): number =>
          upperBoundUsd({ estimatedInputTokens: input, maxOutputTokens: tokens, price: at })!;
        if (most > 0) expect(bound(most)).toBeLessThanOrEqual(leftUsd + 1e-9);
        if (most < 32_000) expect(bound(most + 1)).toBeGreaterThan(leftUsd - 1e-9);
      },
    ),
  );
});

test('output is clamped by the model, its window and the tokens left; nothing fits: 0', () => {
  const call = {
    askedTokens: 9000,
    modelMaxTokens: 8000,
    contextTokens: 10_000,
    estimatedInputTokens: 4000,
    price,
  };
  expect(clampOutput(call)).toBe(6000);
  expect(clampOutput({ ...call, contextTokens: 100_000 })).toBe(8000);
  expect(clampOutput({ ...call, leftTokens: 4500 })).toBe(500);
  expect(clampOutput({ ...call, leftTokens: 3000 })).toBe(0);
  expect(clampOutput({ ...call, leftUsd: 0.01 })).toBe(0);
  expect(clampOutput({ ...call, leftUsd: 1, price: null })).toBe(0);
  expect(clampOutput({ ...call, leftUsd: 0, price: 'flat' })).toBe(6000);
});

test('every row of the table is a usable price', () => {
  expect(Object.keys(table.models).length).toBeGreaterThan(300);
  for (const [id, row] of Object.entries(table.models)) {
    expect(id).toMatch(/^[a-z-]+\/.+/);
    expect(
      Math.min(row.price.cacheRead, row.price.cacheWrite, row.price.input, row.price.output),
      id,
    ).toBeGreaterThanOrEqual(0);
    expect(row.price.input + row.price.output, id).toBeGreaterThan(0);
  }
});

test('prices are found by id, by id without its date, and overridden field by field', () => {
  expect(priceOf('anthropic/claude-sonnet-5')).toEqual({
    input: 2,
    output: 10,
    cacheRead: 0.2,
    cacheWrite: 2.5,
  });
  expect(priceOf('anthropic/claude-sonnet-5-20261001')).toEqual(priceOf('anthropic/claude-sonnet-5'));
  expect(priceOf('openai/gpt-5-2026-01-31')).toEqual(priceOf('openai/gpt-5'));
  expect(priceOf('somewhere/unheard-of')).toBeNull();
  expect(priceOf('constructor')).toBeNull();
  const facts = factsOf('anthropic/claude-sonnet-5', { 'anthropic/claude-sonnet-5': { price: 'flat' } });
  expect(facts).toEqual({ ...factsOf('anthropic/claude-sonnet-5'), price: 'flat' });
});
