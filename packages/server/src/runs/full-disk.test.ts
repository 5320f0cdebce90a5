import { expect, test } from 'vitest';
import { BerthError } from '../domain/errors/index.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { fullDisk, hasNoRoom } from './full-disk.ts';

const full = new BerthError('DATABASE_DISK_FULL');
const { signal } = new AbortController();
const room = async (): Promise<boolean> => false;

test('a full disk is waited for, told once, and given up after ten minutes', async () => {
  const clock = new ManualClock();
  const told: string[] = [];
  const disk = fullDisk(clock, (error) => told.push(error.code), room);
  let tries = 0;
  const waiting = (async () => {
    while (await disk.waited(full, signal)) tries += 1;
  })();
  const end = new AbortController();
  void waiting.then(() => end.abort());
  while (!end.signal.aborted) {
    if (clock.sleeping > 0) await clock.advance(5_000);
    await Promise.resolve();
  }
  expect(clock.monotonicMs()).toBeGreaterThan(10 * 60_000);
  expect(tries).toBeGreaterThan(100);
  expect(told).toEqual(['DATABASE_DISK_FULL']);
});

test('once something worked, the next full disk is a new one', async () => {
  const clock = new ManualClock();
  const told: string[] = [];
  const disk = fullDisk(clock, (error) => told.push(error.code), room);
  for (let n = 0; n < 2; n += 1) {
    const waited = disk.waited(full, signal);
    while (clock.sleeping === 0) await Promise.resolve();
    await clock.advance(5_000);
    expect(await waited).toBe(true);
    disk.passed();
  }
  expect(told).toHaveLength(2);
});

test('another error is not waited for', async () => {
  const disk = fullDisk(new ManualClock(), () => undefined, room);
  expect(await disk.waited(new BerthError('SANDBOX_DISK_FULL'), signal)).toBe(false);
});

test('a run that is stopped does not go on waiting', async () => {
  const stop = new AbortController();
  const disk = fullDisk(new ManualClock(), () => undefined, room);
  const waited = disk.waited(full, stop.signal);
  stop.abort(new BerthError('RUN_CANCELLED'));
  await expect(waited).rejects.toMatchObject({ code: 'RUN_CANCELLED' });
});

test('what a sandbox meets because its host has no room is told as that, and waited for', async () => {
  const clock = new ManualClock();
  const told: string[] = [];
  const disk = fullDisk(
    clock,
    (error) => told.push(error.code),
    async () => true,
  );
  const waited = disk.waited(new BerthError('DELIVERY_FAILED'), signal);
  while (clock.sleeping === 0) await Promise.resolve();
  await clock.advance(5_000);
  expect(await waited).toBe(true);
  expect(told).toEqual(['DATABASE_DISK_FULL']);
  expect(await disk.waited(new BerthError('LIMIT_COST'), signal)).toBe(false);
});

test('a disk with room is not full', async () => {
  expect(await hasNoRoom('/')).toBe(false);
});
