import { expect, test } from 'vitest';
import { isReservedEnv } from '../domain/reserved-env.ts';
import { proxyEnv } from './sandbox-env.ts';

test('every variable by which tools find proxy and certificates is reserved; usual tokens and mirrors are not', () => {
  const own = Object.keys(proxyEnv({ proxyPort: 1, caFile: '/ca' }));
  expect(own.filter((name) => !isReservedEnv(name))).toEqual(['PIP_DISABLE_PIP_VERSION_CHECK']);
  const usual = ['NPM_TOKEN', 'AWS_ACCESS_KEY_ID', 'DATABASE_URL', 'PGPASSWORD', 'PIP_INDEX_URL', 'GOPROXY'];
  expect(usual.filter(isReservedEnv)).toEqual([]);
});
