import { expect, test, vi } from 'vitest';
import { systemClock } from '../domain/clock.ts';
import { configSchema, type ConfigRevision } from '../domain/config/index.ts';
import { changingConfig } from '../testing/changing-config.ts';
import { simulateOnePassword } from '../testing/simulated-one-password.ts';
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
  const secrets = liveSecrets([{ name: 'TOKEN', value: 'of-the-environment' }], {
    env,
    clock: systemClock,
    config: () => config.current().config,
  });
  const stop = await secrets.follow(config);
  const text = 'of-the-environment key-number-one key-number-two abc';
  expect(secrets.redactor.text(text)).toBe(
    '[secret TOKEN] [secret models.providers.mine.apiKey] key-number-two abc',
  );
  config.set(revision(2, '${env:SECOND_API_KEY}'));
  await vi.waitFor(() => expect(secrets.values()).toHaveLength(3), { timeout: 120_000 });
  expect(secrets.redactor.text(text)).not.toContain('key-number');
  config.set(revision(3, '${env:SHORT_API_KEY}'));
  config.set(revision(4, '${env:NOT_THERE}'));
  stop();
  expect(secrets.redactor.text('abc')).toBe('abc');
});

test('a secret is known to the redactor before whoever reads it has it, and stays known after a rotation', async () => {
  const server = await simulateOnePassword('connect-token-123456');
  const field = { id: 'f', label: 'token', value: 'value-before-rotation' };
  server.vaults.push({ id: 'v', name: 'Agents', items: [{ id: 'i', title: 'GitHub', fields: [field] }] });
  const env = { CONNECT: 'connect-token-123456' };
  const config = changingConfig({
    number: 1,
    sources: {},
    config: configSchema.parse({
      version: 1,
      secretSources: { onePassword: { url: server.url, token: '${env:CONNECT}' } },
      secrets: [{ name: 'github', from: '${op:Agents/GitHub/token}', projects: ['web'] }],
    }),
  });
  const secrets = liveSecrets([], { env, clock: systemClock, config: () => config.current().config });
  (await secrets.follow(config))();
  const text = 'value-before-rotation value-after-rotation connect-token-123456';
  expect(secrets.redactor.text(text)).toBe(
    '[secret github] value-after-rotation [secret secretSources.onePassword.token]',
  );
  field.value = 'value-after-rotation';
  const signal = AbortSignal.timeout(120_000);
  expect(await secrets.read('${op:Agents/GitHub/token}', signal, 'github')).toBe('value-after-rotation');
  expect(secrets.redactor.text(text)).toBe(
    '[secret github] [secret github] [secret secretSources.onePassword.token]',
  );
  await server.close();
});
