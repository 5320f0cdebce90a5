import { expect, test } from 'vitest';
import { sandboxProfileSchema, type SandboxProfile } from '../domain/config/sandboxes.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { DriverName, Sandbox, SandboxDriver } from '../domain/ports/sandbox.ts';
import { fakeSpec } from '../testing/fake-sandbox.ts';
import { testClock } from '../testing/test-clock.ts';
import { DriverRegistry } from './driver-registry.ts';

interface Said {
  readonly driver: SandboxDriver;
  readonly destroyed: string[];
}

function driver(
  name: DriverName,
  options: {
    works?: boolean;
    takes?: (p: SandboxProfile | null) => boolean;
    lists?: readonly string[] | Error;
  } = {},
): Said {
  const destroyed: string[] = [];
  const { works = true, takes = () => true, lists = [] } = options;
  const state = works ? ('pass' as const) : ('fail' as const);
  return {
    destroyed,
    driver: {
      name,
      probe: () =>
        Promise.resolve({ ok: works, checks: [{ id: name, state, sentence: name, fix: null, ms: 0 }] }),
      assertSuits(profile) {
        if (!takes(profile)) throw new BerthError('SANDBOX_UNSUPPORTED', `${name} does not take it`);
      },
      create: () => Promise.resolve({ ref: { driver: name } } as Sandbox),
      attach: () => Promise.resolve({ ref: { driver: name } } as Sandbox),
      list: () =>
        lists instanceof Error
          ? Promise.reject(lists)
          : Promise.resolve(lists.map((id) => ({ id, runId: 'r', createdMs: 0 }))),
      destroy: (id) => {
        destroyed.push(id);
        return Promise.resolve();
      },
    },
  };
}

const profile = (more: object = {}): SandboxProfile => sandboxProfileSchema.parse({ name: 'p', ...more });
const withImage = (p: SandboxProfile | null): boolean => p?.image !== undefined;
const without = (p: SandboxProfile | null): boolean => p?.image === undefined;
const chosen = async (registry: DriverRegistry, wanted: SandboxProfile | null): Promise<string> =>
  (await registry.create(fakeSpec({ profile: wanted }), AbortSignal.timeout(120_000))).ref.driver;

test('with auto the strongest that suits and works is chosen', async () => {
  const container = driver('container', { takes: withImage });
  const bubblewrap = driver('bubblewrap', { takes: without });
  const registry = new DriverRegistry([container.driver, bubblewrap.driver], testClock);
  expect(await chosen(registry, null)).toBe('bubblewrap');
  expect(await chosen(registry, profile())).toBe('bubblewrap');
  expect(await chosen(registry, profile({ image: 'a' }))).toBe('container');
  const broken = driver('container', { works: false });
  const other = new DriverRegistry([broken.driver, driver('bubblewrap').driver], testClock);
  expect(await chosen(other, profile())).toBe('bubblewrap');
});

test('a driver that is named is taken or refused, never replaced', async () => {
  const broken = driver('container', { works: false });
  const registry = new DriverRegistry([broken.driver, driver('bubblewrap').driver], testClock);
  expect(await chosen(registry, profile({ driver: 'container' }))).toBe('container');
  const missing = profile({ driver: 'kubernetes' });
  expect(() => registry.assertSuits(missing)).toThrow(
    'asks for the driver kubernetes; this worker has container, bubblewrap',
  );
  await expect(chosen(registry, missing)).rejects.toMatchObject({ code: 'SANDBOX_DRIVER_MISSING' });
});

test('what no driver can be is refused before anything is made', () => {
  const takes = (): boolean => false;
  const registry = new DriverRegistry(
    [driver('container', { takes }).driver, driver('bubblewrap', { takes }).driver],
    testClock,
  );
  expect(() => registry.assertSuits(profile())).toThrow('container does not take it');
});

test('each sandbox is ended by who made it; all are asked about one that nobody knows', async () => {
  const container = driver('container', { lists: ['s-1'] });
  const bubblewrap = driver('bubblewrap', { lists: ['s-2'] });
  const registry = new DriverRegistry([container.driver, bubblewrap.driver], testClock);
  expect((await registry.list()).map(({ id }) => id)).toEqual(['s-1', 's-2']);
  for (const id of ['s-1', 's-2', 's-3']) await registry.destroy(id);
  expect([container.destroyed, bubblewrap.destroyed]).toEqual([
    ['s-1', 's-3'],
    ['s-2', 's-3'],
  ]);
});

test('an engine that is away hides no other driver', async () => {
  const away = driver('container', { works: false, lists: new Error('away') });
  const bubblewrap = driver('bubblewrap', { lists: ['s-2'] });
  const registry = new DriverRegistry([away.driver, bubblewrap.driver], testClock);
  expect((await registry.list()).map(({ id }) => id)).toEqual(['s-2']);
  const { ok, checks } = await registry.probe();
  expect([ok, checks.map(({ state }) => state)]).toEqual([true, ['warn', 'pass']]);
  const alone = new DriverRegistry([away.driver], testClock);
  await expect(alone.list()).rejects.toThrow('away');
  expect(await alone.probe()).toMatchObject({ ok: false, checks: [{ state: 'fail' }] });
});
