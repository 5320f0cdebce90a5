import { expect, test } from 'vitest';
import { configSchema, type ConfigRevision } from './domain/config/index.ts';
import { modelsConfigOf, type ConfiguredModels } from './models-from-config.ts';
import { settingsOfRepository } from './runs/equip/settings.ts';
import { changingConfig } from './testing/changing-config.ts';

const env = {
  MY_API_KEY: 'key-number-one',
  OTHER_API_KEY: 'key-number-two',
  OPENAI_API_KEY: 'of-the-environment',
};
const server = (apiKey: string, baseUrl = 'https://llm.example.org/v1') => ({
  kind: 'openai-compatible',
  baseUrl,
  apiKey,
});
const revision = (number: number, models: object, project: object = {}): ConfigRevision => ({
  number,
  config: configSchema.parse({
    version: 1,
    models,
    projects: [{ name: 'lib', repository: '/srv/lib', ...project }],
  }),
  sources: {},
});

function configured(pinned: ConfigRevision) {
  const now = changingConfig(pinned);
  const learnt: string[] = [];
  const parts: ConfiguredModels = {
    settings: settingsOfRepository(pinned, '/srv/lib'),
    models: pinned.config.models,
    now,
    learn: ({ value }) => learnt.push(value),
  };
  const signal = new AbortController().signal;
  const keyOf = async (name: string): Promise<string | null> =>
    (await modelsConfigOf(env, parts, null)?.providers[name]?.key(signal)) ?? null;
  return { now, parts, learnt, keyOf };
}

const own = {
  providers: { mine: server('${env:MY_API_KEY}') },
  slots: { primary: ['mine/coder'], judge: ['mine/judge'] },
};

test('the slots, servers and prices of the configuration count instead of the environment', () => {
  const models = {
    ...own,
    prices: { 'mine/coder': { input: 2, output: 8 }, 'mine/judge': 'flat' },
    contextTokens: { 'mine/coder': 32_000 },
  };
  const { parts } = configured(revision(1, models));
  expect(modelsConfigOf(env, parts, null)).toMatchObject({
    slots: { primary: ['mine/coder'], judge: ['mine/judge'] },
    providers: { mine: { wire: 'openai-compatible', baseUrl: 'https://llm.example.org/v1' } },
    facts: {
      'mine/coder': {
        price: { input: 2, output: 8, cacheRead: 2, cacheWrite: 2 },
        contextTokens: 32_000,
        maxOutputTokens: 8_000,
      },
      'mine/judge': { price: 'flat' },
    },
  });
});

test('without a primary slot the environment counts, unless a model of an own server is asked for', () => {
  const { parts } = configured(revision(1, { providers: own.providers }));
  expect(modelsConfigOf(env, parts, null)).toBeNull();
  expect(modelsConfigOf(env, parts, 'openai/gpt')).toBeNull();
  expect(modelsConfigOf(env, parts, 'mine/other')?.slots).toEqual({ primary: ['mine/other'] });
});

test('a project has its own slots, also of a provider of the environment', async () => {
  const { parts, keyOf } = configured(revision(1, own, { slots: { primary: ['openai/gpt-x'] } }));
  expect(modelsConfigOf(env, parts, null)?.slots).toEqual({
    primary: ['openai/gpt-x'],
    judge: ['mine/judge'],
  });
  expect(await keyOf('openai')).toBe('of-the-environment');
  expect(() => modelsConfigOf({}, parts, null)).toThrow('There is no key or server');
});

test('a key is read for each call and made known; a changed one is used at once, one that was taken away never', async () => {
  const { now, learnt, keyOf } = configured(revision(1, own));
  expect(await keyOf('mine')).toBe('key-number-one');
  now.set(revision(2, { ...own, providers: { mine: server('${env:OTHER_API_KEY}') } }));
  expect(await keyOf('mine')).toBe('key-number-two');
  expect(learnt).toEqual(['key-number-one', 'key-number-two']);
  now.set(revision(3, {}));
  await expect(keyOf('mine')).rejects.toMatchObject({ code: 'MODEL_PROVIDER_REVOKED' });
  // A new key must not go to the address that the run pinned.
  now.set(
    revision(4, {
      ...own,
      providers: { mine: server('${env:OTHER_API_KEY}', 'https://new.example.org/v1') },
    }),
  );
  await expect(keyOf('mine')).rejects.toMatchObject({ code: 'MODEL_PROVIDER_REVOKED' });
  now.set(revision(5, { ...own, providers: { mine: server('${env:NOT_THERE}') } }));
  await expect(keyOf('mine')).rejects.toMatchObject({ code: 'SECRET_MISSING' });
});
