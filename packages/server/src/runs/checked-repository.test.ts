import { expect, test } from 'vitest';
import { checkedRepository } from './checked-repository.ts';

const { signal } = new AbortController();

test.each([
  'https://user:hunter2hunter2@code.example/team/app.git',
  'https://hunter2hunter2@code.example/team/app.git',
  'ssh://git:hunter2hunter2@code.example/team/app.git',
])('an address with a credential is refused before it is stored, and not repeated', async (address) => {
  const failure = await checkedRepository(address, signal).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'REPO_ADDRESS_INVALID' });
  expect(JSON.stringify([failure, String(failure)])).not.toContain('hunter2');
});

test.each([
  'https://code.example/team/app.git',
  'ssh://git@code.example/team/app.git',
  'git@code.example:team/app.git',
])('%s is taken as it is', async (address) => {
  expect(await checkedRepository(address, signal)).toBe(address);
});
