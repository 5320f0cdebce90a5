import { describe, expect, test } from 'vitest';
import type { ModelSlot } from '../domain/ports/model.ts';
import { systemClock } from '../domain/clock.ts';
import { modelsConfigFromEnvironment, modelsFromEnvironment } from './environment.ts';

const slots: readonly ModelSlot[] = ['primary', 'fast', 'condense', 'judge'];
const ids = (env: Record<string, string>, model?: string): readonly string[] => {
  const models = modelsFromEnvironment(env, { clock: systemClock }, model);
  return slots.map((slot) => models.ids(slot).join(' → '));
};
const anthropic = { ANTHROPIC_API_KEY: 'sk-ant-1' };
const openai = { OPENAI_API_KEY: 'sk-2' };
const own = { BERTH_BASE_URL: 'http://127.0.0.1:11434/v1/' };

test('a key is enough: that provider, a cheap model of it aside', () => {
  expect(ids(anthropic)).toEqual([
    'anthropic/claude-sonnet-5',
    'anthropic/claude-haiku-4-5 → anthropic/claude-sonnet-5',
    'anthropic/claude-haiku-4-5 → anthropic/claude-sonnet-5',
    'anthropic/claude-sonnet-5',
  ]);
  expect(ids(openai)[0]).toBe('openai/gpt-6-sol');
  expect(ids({ ...anthropic, ...openai })[0]).toBe('anthropic/claude-sonnet-5');
});

test.each([
  [{ ...anthropic, BERTH_MODEL: 'claude-opus-5' }, undefined, 'anthropic/claude-opus-5'],
  [{ ...anthropic, ...openai, BERTH_MODEL: 'openai/gpt-5' }, undefined, 'openai/gpt-5'],
  [
    { ...anthropic, BERTH_MODEL: 'claude-opus-5' },
    'anthropic/claude-haiku-4-5',
    'anthropic/claude-haiku-4-5',
  ],
  [{ ...own, BERTH_MODEL: 'qwen3-coder' }, undefined, 'openai-compatible/qwen3-coder'],
  [
    { ...own, BERTH_MODEL: 'meta-llama/Llama-3.3-70B' },
    undefined,
    'openai-compatible/meta-llama/Llama-3.3-70B',
  ],
  [
    { ...own, BERTH_MODEL: 'openai-compatible/anthropic/claude-x' },
    undefined,
    'openai-compatible/anthropic/claude-x',
  ],
  [{ ...own, BERTH_MODEL: 'anthropic/claude-x' }, undefined, 'anthropic/claude-x'],
  [{ ...own }, 'mine', 'openai-compatible/mine'],
  [
    { BERTH_BASE_URL: 'https://api.deepseek.com/v1', BERTH_MODEL: 'deepseek-chat' },
    undefined,
    'deepseek/deepseek-chat',
  ],
])('%j with --model %s leads to %s', (env, model, expected) => {
  expect(ids(env as Record<string, string>, model)[0]).toBe(expected);
});

test.each<[string, Record<string, string>, string | undefined]>([
  ['nothing', {}, undefined],
  ['blank variables', { ANTHROPIC_API_KEY: '  ', BERTH_MODEL: '' }, undefined],
  ['a model without a key', { BERTH_MODEL: 'anthropic/claude-x' }, undefined],
  ['another provider than the key is for', openai, 'anthropic/claude-x'],
  ['an unknown provider', anthropic, 'elsewhere/model'],
  ['a server without a model', own, undefined],
  ['no URL', { BERTH_BASE_URL: 'ftp://x', BERTH_MODEL: 'm' }, undefined],
  ['a URL with a password', { BERTH_BASE_URL: 'https://u:secret@host/v1', BERTH_MODEL: 'm' }, undefined],
  ['a price that is none', { ...own, BERTH_MODEL: 'm', BERTH_MODEL_PRICE: '1' }, undefined],
  ['a negative price', { ...own, BERTH_MODEL: 'm', BERTH_MODEL_PRICE: '1,-2' }, undefined],
  ['a window that is none', { ...own, BERTH_MODEL: 'm', BERTH_MODEL_CONTEXT: 'big' }, undefined],
])('%s is not configured', (_what, env, model) => {
  expect(() => ids(env, model)).toThrow(
    expect.objectContaining({
      code: 'MODEL_NOT_CONFIGURED',
      message: expect.not.stringContaining('secret') as string,
    }),
  );
});

describe('a server of the user', () => {
  const config = (env: Record<string, string>) =>
    modelsConfigFromEnvironment({ ...own, BERTH_MODEL: 'm', ...env });
  const keyOf = (env: Record<string, string>) =>
    Object.values(config(env).providers)[0]!.key(new AbortController().signal);

  test('gets only the key that was meant for it', async () => {
    expect(await keyOf({ ...anthropic, ...openai })).toBeNull();
    expect(await keyOf({ ...anthropic, BERTH_MODEL: 'anthropic/claude-x' })).toBeNull();
    expect(await keyOf({ ...anthropic, BERTH_API_KEY: 'mine' })).toBe('mine');
  });

  test('has no price until one is told', () => {
    const price = (env: Record<string, string>) =>
      modelsFromEnvironment({ ...own, BERTH_MODEL: 'm', ...env }, { clock: systemClock }).model('primary')
        .price;
    expect(price({})).toBeNull();
    expect(price({ BERTH_MODEL_PRICE: 'flat' })).toBe('flat');
    expect(price({ BERTH_MODEL_PRICE: '0.5, 2' })).toEqual({
      input: 0.5,
      output: 2,
      cacheRead: 0.5,
      cacheWrite: 0.5,
    });
    expect(price({ BERTH_MODEL_PRICE: '0.5,2,0.1,0.7' })).toEqual({
      input: 0.5,
      output: 2,
      cacheRead: 0.1,
      cacheWrite: 0.7,
    });
  });

  test('has the window it says', () => {
    const model = modelsFromEnvironment(
      { ...own, BERTH_MODEL: 'm', BERTH_MODEL_CONTEXT: '8192' },
      { clock: systemClock },
    ).model('primary');
    expect(model).toMatchObject({ contextTokens: 8192, maxOutputTokens: 2048 });
  });
});

test('base URLs of the providers are heard, with their customs', () => {
  const url = (env: Record<string, string>) =>
    Object.values(modelsConfigFromEnvironment(env).providers)[0]!.baseUrl;
  expect(url({ ...anthropic, ANTHROPIC_BASE_URL: 'http://127.0.0.1:1234' })).toBe('http://127.0.0.1:1234/v1');
  expect(url({ ...anthropic, ANTHROPIC_BASE_URL: 'http://127.0.0.1:1234/v1/' })).toBe(
    'http://127.0.0.1:1234/v1',
  );
  expect(url({ ...openai, OPENAI_BASE_URL: 'http://127.0.0.1:1234/v1' })).toBe('http://127.0.0.1:1234/v1');
  expect(url(anthropic)).toBeUndefined();
});
