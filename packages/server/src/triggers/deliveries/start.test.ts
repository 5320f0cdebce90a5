import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listDeliveries } from '../../store/deliveries/deliveries.ts';
import { testDatabase } from '../../testing/database.ts';
import { deliveryConfig, deliveryWorld, labelled, type DeliveryWorld } from '../../testing/delivery-world.ts';
import { startDeliveries, takesDeliveries } from './start.ts';
import { configOf } from '../../testing/config.ts';

const database = testDatabase();
let world: DeliveryWorld;
let running: { stop(): Promise<void> }[] = [];
beforeEach(async () => {
  world = await deliveryWorld(database.db);
});
afterEach(async () => {
  await Promise.all(running.map(async (one) => one.stop()));
  running = [];
  await world.close();
});

const start = (parts = world.parts) => {
  running.push(
    startDeliveries({
      ...parts,
      publicUrl: () => null,
      onError: (error) => world.problems.push(error),
      retry: { limit: 1, delayS: 1 },
    }),
  );
};
const states = async () =>
  (await listDeliveries(database.db, { visible: 'all', limit: 200 })).map(({ state }) => state).toSorted();

test('two workers work off what is stored, before and while they run, and tell of it once', async () => {
  for (let n = 1; n <= 20; n += 1) world.conversation.addIssue(n, 'alice');
  const send = async (n: number) => world.forge('issues', labelled(n, 'alice'), { id: randomUUID() });
  for (let n = 1; n <= 10; n += 1) await send(n);
  start();
  start();
  for (let n = 11; n <= 20; n += 1) await send(n);
  for (let n = 1; n <= 20; n += 1) await send(n);
  await expect
    .poll(async () => (await states()).filter((state) => state === 'done').length, { timeout: 50_000 })
    .toBe(40);
  expect(await world.tasks()).toHaveLength(20);
  await expect
    .poll(() => [...world.conversation.comments.values()].map((all) => all.length), { timeout: 40_000 })
    .toHaveLength(20);
  expect([...world.conversation.comments.values()].every((all) => all.length === 1)).toBe(true);
});

test('what fails again and again is dead, and goes on when somebody has it run again', async () => {
  world.conversation.addIssue(1, 'alice');
  let isBroken = true;
  start({
    ...world.parts,
    conversationOf: async () => {
      if (isBroken) throw new Error('the forge says: secret words');
      return world.conversation;
    },
  });
  await world.forge('issues', labelled(1, 'alice'));
  await expect.poll(states, { timeout: 50_000 }).toEqual(['dead']);
  isBroken = false;
  const [dead] = await listDeliveries(database.db, { visible: 'all', limit: 1 });
  expect(dead).toMatchObject({ attempts: 2, code: 'INTERNAL' });
  await world.app.inject({
    method: 'POST',
    url: `/api/v1/deliveries/${dead?.id ?? ''}/run-again`,
    payload: {},
  });
  await expect.poll(states, { timeout: 50_000 }).toEqual(['done']);
});

test('nothing is begun where nothing can come in', () => {
  expect(takesDeliveries(configOf({}))).toBe(false);
  expect(takesDeliveries(configOf({ ...deliveryConfig, forges: [] } as Parameters<typeof configOf>[0]))).toBe(
    true,
  );
});
