import { expect, test } from 'vitest';
import { sandboxProfileSchema, type SandboxProfile } from '../../domain/config/sandboxes.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { Sandbox, SandboxDriver, SandboxSpec } from '../../domain/ports/sandbox.ts';
import { fakeSpec } from '../../testing/fake-sandbox.ts';
import { ManualClock } from '../../testing/manual-clock.ts';
import { keeperOf, idleRunId, kindOf } from './member.ts';
import { WarmPool } from './warm-pool.ts';

const signal = new AbortController().signal;
const { limits } = fakeSpec();

/** Sandboxes that are nothing but their ids, with as much room as there is. */
class PaperDriver implements SandboxDriver {
  readonly name = 'fake';
  readonly live = new Map<string, SandboxSpec>();
  readonly #gone = new Map<string, () => void>();
  made = 0;
  room = Infinity;
  broken: BerthError | null = null;
  /** Refuses to give this many members. */
  unfit = 0;

  probe(): ReturnType<SandboxDriver['probe']> {
    return Promise.resolve({ ok: true, checks: [] });
  }
  create(spec: SandboxSpec): Promise<Sandbox> {
    this.made += 1;
    if (this.broken !== null) return Promise.reject(this.broken);
    if (this.live.size >= this.room) return Promise.reject(new BerthError('SANDBOX_CAPACITY'));
    this.live.set(spec.id, spec);
    return Promise.resolve(this.#sandbox(spec.id));
  }
  attach(): Promise<null> {
    return Promise.resolve(null);
  }
  assign({ id }: { readonly id: string }, spec: SandboxSpec): Promise<Sandbox | null> {
    if (this.unfit > 0) {
      this.unfit -= 1;
      return Promise.resolve(null);
    }
    if (!this.live.has(id)) return Promise.resolve(null);
    this.live.set(id, spec);
    return Promise.resolve(this.#sandbox(id));
  }
  list(): ReturnType<SandboxDriver['list']> {
    return Promise.resolve([...this.live].map(([id, { runId }]) => ({ id, runId, createdMs: 0 })));
  }
  destroy(id: string): Promise<void> {
    this.live.delete(id);
    return Promise.resolve();
  }
  lose(id: string): void {
    this.live.delete(id);
    this.#gone.get(id)?.();
  }
  #sandbox(id: string): Sandbox {
    const lost = new Promise((resolve) => {
      this.#gone.set(id, () => resolve({ code: 'SANDBOX_LOST', sentence: 'gone' }));
    });
    return {
      ref: { id, driver: 'fake', bootId: 'b', address: 'a' },
      lost,
      detach: () => Promise.resolve(),
      destroy: () => this.destroy(id),
    } as unknown as Sandbox;
  }
}

function profileOf(pool: { min: number; max: number; idleTarget: number }, name = 'pooled'): SandboxProfile {
  return sandboxProfileSchema.parse({ name, pool });
}

function poolOn(
  driver: PaperDriver,
  profiles: readonly SandboxProfile[],
): { pool: WarmPool; clock: ManualClock; end: () => Promise<void>; owner: { id: string | null } } {
  const clock = new ManualClock();
  const pool = new WarmPool(driver, clock);
  const owner: { id: string | null } = { id: 'w-one' };
  const end = pool.start({
    wishes: () => profiles.map((profile) => ({ profile, limits })),
    owner: () => owner.id,
    newSandboxId: () => fakeSpec().id,
  });
  return { pool, clock, end, owner };
}

/** Lets time pass, second by second, until something holds. */
async function passUntil(clock: ManualClock, holds: () => boolean): Promise<void> {
  for (let second = 0; second < 7_200 && !holds(); second += 1) {
    await clock.advance(1_000);
    await new Promise((next) => setImmediate(next));
  }
  expect(holds()).toBe(true);
}

const idleOf = (driver: PaperDriver): number =>
  [...driver.live.values()].filter(({ runId }) => keeperOf(runId) !== null).length;

test('without a pool in any profile nothing is made, and create is the driver’s', async () => {
  const driver = new PaperDriver();
  const profile = profileOf({ min: 0, max: 0, idleTarget: 0 });
  const { pool, clock, end } = poolOn(driver, [profile]);
  await clock.advance(60_000);
  expect(driver.made).toBe(0);
  const spec = fakeSpec({ profile });
  expect((await pool.create(spec, signal)).ref.id).toBe(spec.id);
  expect(pool.state()).toEqual({ idle: 0, making: 0, problems: [] });
  await end();
});

test('a run that finds no room gets that of idle ones, also of another profile, and nothing is made meanwhile', async () => {
  const driver = new PaperDriver();
  const kept = profileOf({ min: 3, max: 3, idleTarget: 0 });
  const { pool, clock, end } = poolOn(driver, [kept]);
  await expect.poll(() => pool.state().idle).toBe(3);
  driver.room = 3;
  const other = fakeSpec({ profile: profileOf({ min: 0, max: 0, idleTarget: 0 }, 'other') });
  expect((await pool.create(other, signal)).ref.id).toBe(other.id);
  await clock.advance(10_000);
  expect([idleOf(driver), driver.live.size]).toEqual([2, 3]);
  // Until there is nothing left to evict: then the run waits, as it would without a pool.
  await pool.create(fakeSpec(), signal);
  await pool.create(fakeSpec(), signal);
  await expect(pool.create(fakeSpec(), signal)).rejects.toMatchObject({ code: 'SANDBOX_CAPACITY' });
  expect(idleOf(driver)).toBe(0);
  driver.room = 10;
  await passUntil(clock, () => idleOf(driver) === 3);
  await end();
  expect(driver.live.size).toBe(3);
});

test('what cannot be made is tried again with patience, is said, and fails no run', async () => {
  const driver = new PaperDriver();
  driver.broken = new BerthError('SANDBOX_IMAGE', 'There is no such image.');
  const profile = profileOf({ min: 1, max: 1, idleTarget: 1 });
  const { pool, clock, end } = poolOn(driver, [profile]);
  await expect.poll(() => pool.state().problems.map(({ code }) => code)).toEqual(['SANDBOX_IMAGE']);
  expect((await pool.probe()).checks).toMatchObject([{ id: 'warm-pool', state: 'warn' }]);
  for (let second = 0; second < 300; second += 1) await clock.advance(1_000);
  expect(driver.made).toBeGreaterThan(5);
  // 1, 2, 4 … seconds, then once a minute.
  expect(driver.made).toBeLessThan(14);
  driver.broken = null;
  const spec = fakeSpec({ profile });
  expect((await pool.create(spec, signal)).ref.id).toBe(spec.id);
  await passUntil(clock, () => pool.state().idle === 1);
  expect(pool.state()).toEqual({ idle: 1, making: 0, problems: [] });
  await end();
});

test('a member that cannot be given is destroyed and the next one is', async () => {
  const driver = new PaperDriver();
  const profile = profileOf({ min: 2, max: 2, idleTarget: 2 });
  const { pool, end } = poolOn(driver, [profile]);
  await expect.poll(() => pool.state().idle).toBe(2);
  const [first, second] = [...driver.live.keys()];
  driver.unfit = 1;
  const spec = fakeSpec({ profile });
  expect((await pool.create(spec, signal)).ref.id).toBe(second);
  expect(driver.live.has(first!)).toBe(false);
  expect(driver.live.get(second!)).toMatchObject({ runId: spec.runId });
  await end();
});

test('a lost one is replaced; those of a lease that is over, or that are old, are not given to anybody', async () => {
  const driver = new PaperDriver();
  const profile = profileOf({ min: 1, max: 1, idleTarget: 1 });
  const { pool, clock, end, owner } = poolOn(driver, [profile]);
  await expect.poll(() => pool.state().idle).toBe(1);
  const [lost] = [...driver.live.keys()];
  driver.lose(lost!);
  await expect.poll(() => driver.live.size === 1 && !driver.live.has(lost!)).toBe(true);
  const [old] = [...driver.live.keys()];
  owner.id = null;
  const spec = fakeSpec({ profile });
  expect((await pool.create(spec, signal)).ref.id).toBe(spec.id);
  await driver.destroy(spec.id);
  owner.id = 'w-two';
  await passUntil(clock, () => idleOf(driver) === 1 && !driver.live.has(old!));
  expect([...driver.live.values()].map(({ runId }) => keeperOf(runId))).toEqual(['w-two']);
  const [second] = [...driver.live.keys()];
  await passUntil(clock, () => driver.live.size === 1 && !driver.live.has(second!));
  await end();
  expect(driver.live.size).toBe(0);
});

test('the run of an idle one names its keeper, and no run is taken for one', () => {
  expect(keeperOf(idleRunId('w-0123abc', 7))).toBe('w-0123abc');
  expect(keeperOf('r-0123abc')).toBeNull();
  expect(keeperOf('')).toBeNull();
});

test('how many are kept does not make another kind, everything else does', () => {
  const profile = profileOf({ min: 1, max: 2, idleTarget: 1 });
  const kind = kindOf(profile, limits);
  expect(kindOf({ ...profileOf({ min: 0, max: 9, idleTarget: 3 }), pauseKeep: '1h' }, limits)).toBe(kind);
  expect(kindOf({ ...profile, image: 'debian@sha256:0' }, limits)).not.toBe(kind);
  expect(kindOf(profile, { ...limits, memoryBytes: 1 })).not.toBe(kind);
});
