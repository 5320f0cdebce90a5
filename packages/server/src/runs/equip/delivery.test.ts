import { afterAll, expect, test } from 'vitest';
import { execRequest } from '../../testing/exec-helper.ts';
import { fakeSpec, UnisolatedFakeDriver } from '../../testing/fake-sandbox.ts';
import { endLeftOverSaves } from './delivery.ts';

const driver = new UnisolatedFakeDriver();
afterAll(() => driver.destroyAll());

test('saves that a dead worker left running are ended, and nothing else', async () => {
  const { signal } = new AbortController();
  const sandbox = await driver.create(fakeSpec(), signal);
  const start = (id: string): void => {
    sandbox.exec({ ...execRequest('sleep 60'), id }, { signal }).catch(() => undefined);
  };
  start('checkpoint-left');
  start('t1-1');
  const running = async (): Promise<string[]> =>
    (await sandbox.calls()).filter((call) => call.running).map((call) => call.id);
  await expect.poll(running).toHaveLength(2);
  await endLeftOverSaves(sandbox, signal);
  expect(await running()).toEqual(['t1-1']);
});
