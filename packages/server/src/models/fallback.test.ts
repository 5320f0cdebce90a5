import { expect, test } from 'vitest';
import { BerthError } from '../domain/errors/index.ts';
import type { ErrorCode } from '../domain/errors/index.ts';
import type { Model, ModelPrice } from '../domain/ports/model.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { contractRequest, userMessage } from '../testing/model-contract.ts';
import { withFallback } from './fallback.ts';
import type { FallbackNotice } from './fallback.ts';

const signal = new AbortController().signal;
const request = contractRequest([userMessage('x')]);
const usage = {
  inputTokens: 1,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 1,
  reasoningTokens: 0,
};
const cheap: ModelPrice = { input: 1, output: 9, cacheRead: 0.1, cacheWrite: 1 };
const dear: ModelPrice = { input: 5, output: 5, cacheRead: 0.5, cacheWrite: 6 };

type Fake = Model & { readonly asked: number[]; fails: BerthError | null };

function fake(id: string, price: Model['price'] = cheap, contextTokens = 100_000): Fake {
  const model: Fake = {
    id,
    contextTokens,
    maxOutputTokens: 500,
    price,
    simulated: false,
    asked: [],
    fails: null,
    call: ({ maxOutputTokens }) => {
      model.asked.push(maxOutputTokens);
      if (model.fails !== null) return Promise.reject(model.fails);
      return Promise.resolve({ parts: [{ type: 'text', text: id }], finish: 'stop', usage });
    },
  };
  return model;
}

function pair(code: ErrorCode | null, details: Record<string, unknown> = {}) {
  const first = fake('a/first', cheap);
  const second = fake('b/second', dear);
  first.fails = code === null ? null : new BerthError(code, undefined, { details });
  const clock = new ManualClock();
  const notices: FallbackNotice[] = [];
  const model = withFallback([first, second], { clock, onFallback: (notice) => notices.push(notice) });
  const ask = async (): Promise<string> => (await model.call(request, { signal })).answeredBy!.id;
  return { first, second, clock, notices, model, ask };
}

test.each([
  'MODEL_KEY_REJECTED',
  'MODEL_UNKNOWN',
  'MODEL_QUOTA_EXHAUSTED',
  'MODEL_WINDOW_EXHAUSTED',
  'MODEL_OVERLOADED',
  'MODEL_RATE_LIMITED',
  'MODEL_UNAVAILABLE',
  'MODEL_UNREACHABLE',
  'MODEL_TIMEOUT',
  'MODEL_STREAM_TRUNCATED',
] as const)('goes to the next model on %s and says so', async (code) => {
  const { ask, notices, second } = pair(code);
  expect(await ask()).toBe('b/second');
  expect(notices).toEqual([expect.objectContaining({ from: 'a/first', to: 'b/second', code })]);
  expect(second.asked).toEqual([500]);
});

test.each([
  'MODEL_CONTEXT_OVERFLOW',
  'MODEL_REFUSED',
  'MODEL_REQUEST_REJECTED',
  'CASSETTE_DEPARTED',
] as const)('does not hide %s behind another model', async (code) => {
  const { ask, second } = pair(code);
  await expect(ask()).rejects.toMatchObject({ code });
  expect(second.asked).toEqual([]);
});

test('leaves a failed model alone until its cool-down is over', async () => {
  const { ask, first, clock } = pair('MODEL_OVERLOADED');
  await ask();
  await ask();
  expect(first.asked).toHaveLength(1);
  first.fails = null;
  await clock.advance(120_000);
  expect(await ask()).toBe('a/first');
});

test('comes back when the provider said its window opens', async () => {
  const start = new ManualClock().nowMs();
  const { ask, first, clock } = pair('MODEL_WINDOW_EXHAUSTED', { returnsAtMs: start + 3_600_000 });
  await ask();
  first.fails = null;
  await clock.advance(3_599_000);
  expect(await ask()).toBe('b/second');
  await clock.advance(1000);
  expect(await ask()).toBe('a/first');
});

test('tries them all when all are cooling down, and throws the last error', async () => {
  const { ask, first, second } = pair('MODEL_OVERLOADED');
  second.fails = new BerthError('MODEL_UNREACHABLE');
  await expect(ask()).rejects.toMatchObject({ code: 'MODEL_UNREACHABLE' });
  await expect(ask()).rejects.toMatchObject({ code: 'MODEL_UNREACHABLE' });
  expect(first.asked).toHaveLength(2);
});

test('reserves at the dearest price of the list and reports the price that was paid', async () => {
  const { model } = pair('MODEL_OVERLOADED');
  expect(model.price).toEqual({ input: 5, output: 9, cacheRead: 0.5, cacheWrite: 6 });
  expect((await model.call(request, { signal })).answeredBy).toEqual({ id: 'b/second', price: dear });
  const clock = new ManualClock();
  expect(withFallback([fake('a/a', 'flat'), fake('b/b', cheap)], { clock }).price).toEqual(cheap);
  expect(withFallback([fake('a/a', 'flat'), fake('b/b', null)], { clock }).price).toBeNull();
});

test('counts what a model lost before another one answered', async () => {
  const { model } = pair('MODEL_STREAM_TRUNCATED', {
    lostUsage: { ...usage, inputTokens: 40, outputTokens: 7 },
  });
  expect((await model.call(request, { signal })).usage).toEqual({
    ...usage,
    inputTokens: 41,
    outputTokens: 8,
  });
});

test('passes over a model whose window is too small for the request', async () => {
  const first = fake('a/first');
  first.fails = new BerthError('MODEL_OVERLOADED');
  const small = fake('b/small', cheap, 300);
  const third = fake('c/third');
  const model = withFallback([first, small, third], { clock: new ManualClock() });
  expect((await model.call(request, { signal })).answeredBy?.id).toBe('c/third');
  expect(small.asked).toEqual([]);
});

test('an abort is an abort, whatever the model made of it', async () => {
  const reason = new Error('cancelled');
  const { model, second } = pair('MODEL_UNREACHABLE');
  await expect(model.call(request, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(second.asked).toEqual([]);
});
