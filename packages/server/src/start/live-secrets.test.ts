import { expect, test, vi } from 'vitest';
import { configSchema, type ConfigRevision } from '../domain/config/index.ts';
import { changingConfig } from '../testing/changing-config.ts';
import { liveSecrets } from './live-secrets.ts';

const revision = (number: number, apiKey: string): ConfigRevision => ({
  number,
  config: configSchema.parse({
    version: 1,
    models: { providers: { mine: { kind: 'openai', apiKey } } },
  }),
  sources: {},
});

test('what the configuration refers to is redacted from then on, and stays so after a change', async () => {
  const env = { FIRST_API_KEY: 'key-number-one', SECOND_API_KEY: 'key-number-two', SHORT_API_KEY: 'abc' };
  const config = changingConfig(revision(1, '${env:FIRST_API_KEY}'));
  const secrets = liveSecrets([{ name: 'TOKEN', value: 'of-the-environment' }]);
  const stop = await secrets.follow(config, env);
  const text = 'of-the-environment key-number-one key-number-two abc';
  expect(secrets.redactor.text(text)).toBe(
    '[secret TOKEN] [secret models.providers.mine.apiKey] key-number-two abc',
  );
  config.set(revision(2, '${env:SECOND_API_KEY}'));
  await vi.waitFor(() => expect(secrets.values()).toHaveLength(3), { timeout: 20_000 });
  expect(secrets.redactor.text(text)).not.toContain('key-number');
  config.set(revision(3, '${env:SHORT_API_KEY}'));
  config.set(revision(4, '${env:NOT_THERE}'));
  stop();
  expect(secrets.redactor.text('abc')).toBe('abc');
});
