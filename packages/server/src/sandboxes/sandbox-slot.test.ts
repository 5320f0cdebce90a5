import { afterAll, expect, test } from 'vitest';
import { defaultRunLimits } from '../domain/limits.ts';
import { fakeSpec, UnisolatedFakeDriver } from '../testing/fake-sandbox.ts';
import { memoryLog } from '../testing/memory-log.ts';
import { testClock } from '../testing/test-clock.ts';
import { sandboxSlot } from './sandbox-slot.ts';

const driver = new UnisolatedFakeDriver();
afterAll(() => driver.destroyAll());

test('a lost sandbox is recorded once and replaced by one, however many ask for it meanwhile', async () => {
  const log = memoryLog();
  await log.append({
    type: 'run.planned',
    data: {
      base: { ref: 'main', commit: 'c'.repeat(40) },
      blueprint: {
        version: 1,
        name: 'test',
        setup: [],
        checks: [],
        protectedPaths: [],
        steps: [],
        limits: {},
      },
      source: { kind: 'detected', ecosystems: [] },
      limits: defaultRunLimits,
      models: {},
      simulated: false,
    },
  });
  let appending: Promise<void> = Promise.resolve();
  const slot = sandboxSlot('work', {
    runId: 'r-test',
    epoch: 1,
    driver,
    limits: fakeSpec().limits,
    profile: null,
    // The database takes its time.
    events: {
      append: async (...events) => {
        await appending;
        return log.append(...events);
      },
      live: () => undefined,
    },
    log,
    clock: testClock,
    signal: new AbortController().signal,
    repository: {
      deliver: () => Promise.resolve(),
      saveCheckpoint: () => Promise.reject(new Error('not asked for')),
      restoreCheckpoint: () => Promise.resolve(),
    },
    onEgress: () => undefined,
    newSandboxId: () => fakeSpec().id,
    restoreSetup: () => Promise.resolve(),
  });
  const first = await slot.get();
  process.kill(driver.processesOf(first.ref.id).sandboxd, 'SIGKILL');
  await first.lost;
  const { promise, resolve } = Promise.withResolvers<void>();
  appending = promise;
  const early = slot.get();
  // Until the loss is being recorded.
  await new Promise((next) => setImmediate(next));
  const late = slot.get();
  resolve();
  const found = await Promise.all([early, late, slot.get()]);
  expect(new Set(found.map((sandbox) => sandbox.ref.id)).size).toBe(1);
  expect(found[0].ref.id).not.toBe(first.ref.id);
  expect(log.entries.map((entry) => entry.type)).toEqual([
    'run.planned',
    'sandbox.created',
    'sandbox.lost',
    'sandbox.created',
  ]);
  await slot.destroy();
});
