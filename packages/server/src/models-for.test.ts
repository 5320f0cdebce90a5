import { expect, test } from 'vitest';
import { knownSecrets } from './models-for.ts';

test('credentials are known by the names of their variables, and passwords by their place in an address', () => {
  const env = {
    ANTHROPIC_API_KEY: 'sk-secret-one',
    DATABASE_URL: 'postgres://berth:p%40ss-word-two@db.example/berth',
    HTTPS_PROXY: 'http://proxy.example:3128',
    PATH: '/usr/bin',
    SHORT_TOKEN: 'abc',
  };
  expect(knownSecrets(env)).toEqual([
    { name: 'ANTHROPIC_API_KEY', value: 'sk-secret-one' },
    { name: 'DATABASE_URL', value: 'p%40ss-word-two' },
    { name: 'DATABASE_URL', value: 'p@ss-word-two' },
  ]);
});
