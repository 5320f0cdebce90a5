import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../domain/clock.ts';
import type { SecretSource } from '../../domain/ports/secret-source.ts';
import { secretSourceContract } from '../../testing/secret-source-contract.ts';
import {
  type SimulatedItem,
  simulateOnePassword,
  type SimulatedOnePassword,
} from '../../testing/simulated-one-password.ts';
import { onePasswordSource } from './one-password-source.ts';

const token = 'connect-token-1234567890';
const signal = new AbortController().signal;
let server: SimulatedOnePassword;
let item: SimulatedItem;

beforeEach(async () => {
  server = await simulateOnePassword(token);
  item = { id: 'item00000000000000000000000'.slice(0, 26), title: 'GitHub', fields: [] };
  server.vaults.push({ id: 'vault0000000000000000000000'.slice(0, 26), name: 'Agents', items: [item] });
  item.fields.push({ id: 'f1', label: 'token', value: 'the-value' });
});
afterEach(() => server.close());

function source(options: { readonly token?: string; readonly timeoutMs?: number } = {}): SecretSource {
  return onePasswordSource(async () => ({ url: server.url, token: options.token ?? token }), {
    clock: systemClock,
    timeoutMs: options.timeoutMs ?? 5_000,
  });
}

secretSourceContract('1Password Connect (simulated)', async () => ({
  source: source(),
  place: 'Agents/GitHub/token',
  async set(value) {
    const field = item.fields[0]!;
    if (value === null) delete field.value;
    else field.value = value;
  },
}));

test('vault, item, section and field are found by name or by id, and ids are asked for only once', async () => {
  const [vault] = server.vaults;
  const withSection: SimulatedItem = {
    id: 'deploy',
    title: 'Deploy "key"',
    sections: [
      { id: 's1', label: 'staging' },
      { id: 's2', label: 'production' },
    ],
    fields: [
      { id: 'a', label: 'password', value: 'for-staging', section: 's1' },
      { id: 'b', label: 'password', value: 'for-production', section: 's2' },
    ],
  };
  vault!.items.push(withSection);
  const reading = source();
  expect(await reading.read('Agents/Deploy "key"/production/password', signal)).toBe('for-production');
  expect(await reading.read('Agents/Deploy "key"/s1/a', signal)).toBe('for-staging');
  expect(await reading.read(`${vault!.id}/${item.id}/f1`, signal)).toBe('the-value');
  await expect(reading.read('Agents/Deploy "key"/password', signal)).rejects.toThrow('more than one');
  server.asked.length = 0;
  await reading.read('Agents/Deploy "key"/staging/password', signal);
  expect(server.asked).toEqual([`/v1/vaults/${vault!.id}/items/deploy`]);
});

test('an item that was replaced by another of the same name is found again', async () => {
  const reading = source();
  await reading.read('Agents/GitHub/token', signal);
  server.vaults[0]!.items.splice(0, 1, {
    id: 'another',
    title: 'GitHub',
    fields: [{ id: 'x', label: 'token', value: 'new' }],
  });
  expect(await reading.read('Agents/GitHub/token', signal)).toBe('new');
});

test('pages are followed, also where the server does not heed the filter', async () => {
  server.pageSize = 2;
  server.filters = false;
  for (let count = 0; count < 7; count += 1) {
    server.vaults.unshift({ id: `other-${count}`, name: `Other ${count}`, items: [] });
  }
  expect(await source().read('Agents/GitHub/token', signal)).toBe('the-value');
});

test('two of one name are refused, not guessed between', async () => {
  server.vaults.push({ id: 'second', name: 'Agents', items: [] });
  await expect(source().read('Agents/GitHub/token', signal)).rejects.toThrow('more than one vault Agents');
});

test('what is not there is missing', async () => {
  for (const place of [
    'None/GitHub/token',
    'Agents/None/token',
    'Agents/GitHub/none',
    'Agents/GitHub/s/token',
  ]) {
    await expect(source().read(place, signal)).rejects.toMatchObject({ code: 'SECRET_MISSING' });
  }
});

test('a refused token is told apart from a missing secret', async () => {
  await expect(source({ token: 'wrong' }).read('Agents/GitHub/token', signal)).rejects.toMatchObject({
    code: 'SECRET_UNAVAILABLE',
    message: expect.stringContaining('refuses its token (401)') as string,
  });
});

test('a busy server is asked again after the time it names, and given up where that is long', async () => {
  server.troubles.push({ kind: 'status', status: 429, headers: { 'retry-after': '0' } });
  server.troubles.push({ kind: 'status', status: 503 });
  expect(await source().read('Agents/GitHub/token', signal)).toBe('the-value');
  server.troubles.push({ kind: 'status', status: 429, headers: { 'retry-after': '3600' } });
  await expect(source().read('Agents/GitHub/token', signal)).rejects.toThrow('answers 429');
});

test.each([
  [{ kind: 'silent' }, 'does not answer within'],
  [{ kind: 'slow body' }, 'does not answer within'],
  [{ kind: 'reset' }, 'cannot be reached'],
  [{ kind: 'body', text: '<html>the-value</html>' }, 'no JSON'],
  [{ kind: 'body', text: '{"the-value": 1}' }, 'another version'],
  [{ kind: 'body', text: `[${' '.repeat(9 * 1024 * 1024)}]` }, 'more than is read'],
  [{ kind: 'status', status: 302, headers: { location: 'http://127.0.0.1:1/' } }, 'answers 302'],
  [{ kind: 'status', status: 500 }, 'answers 500'],
] as const)('trouble is an error with a code and no value in it: %o', async (trouble, sentence) => {
  server.troubles.push(trouble);
  const isSlow = trouble.kind === 'silent' || trouble.kind === 'slow body';
  const failed = source({ timeoutMs: isSlow ? 400 : 30_000 }).read('Agents/GitHub/token', signal);
  await expect(failed).rejects.toMatchObject({ code: 'SECRET_UNAVAILABLE' });
  await expect(failed).rejects.toThrow(sentence);
  await expect(failed).rejects.not.toThrow('the-value');
  await expect(failed).rejects.not.toThrow(token);
});

test('a next page elsewhere gets neither a request nor the token', async () => {
  const elsewhere = await simulateOnePassword(token);
  const link = `<${elsewhere.url}/v1/vaults>; rel="next"`;
  server.troubles.push({ kind: 'body', text: '[]', headers: { link } });
  await expect(source().read('Agents/GitHub/token', signal)).rejects.toThrow('a next page elsewhere');
  expect(elsewhere.asked).toEqual([]);
  await elsewhere.close();
});

test('reading ends with the signal while the server says nothing', async () => {
  server.troubles.push({ kind: 'silent' });
  const stop = new AbortController();
  const reading = source().read('Agents/GitHub/token', stop.signal);
  stop.abort(new Error('the run stops'));
  await expect(reading).rejects.toThrow('the run stops');
});
