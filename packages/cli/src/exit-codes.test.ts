import { afterEach, beforeEach, expect, test } from 'vitest';
import { BerthError } from '@berth/server/domain/errors/index.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';
import { World } from './testing/spawn-berth.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(async () => world.end());

const code = async (...args: string[]): Promise<number | null> => (await world.run(args)).code;

test('0: the followed run succeeded', async () => {
  await world.serve();
  expect(await code('run', 'fix it')).toBe(0);
});

test('1: what nobody foresaw', async () => {
  const plane = await world.serve();
  plane.doctor = async () => {
    throw new TypeError('boom');
  };
  const { code: exit, stderr } = await world.run(['doctor']);
  expect(exit).toBe(1);
  expect(stderr).toMatch(/^error: .*\n {2}code: INTERNAL\n {2}next: .*\n {2}request: req_/);
});

test('2: wrong usage', async () => {
  expect(await code('run', 'x', '--sideways')).toBe(2);
});

test('3: the run failed', async () => {
  await world.serve();
  expect(await code('run', '{failed}')).toBe(3);
});

test('4: not allowed', async () => {
  const plane = await world.serve();
  plane.doctor = async () => {
    throw new BerthError('TOKEN_REFUSED');
  };
  expect(await code('doctor')).toBe(4);
});

test('5: the run needs a person', async () => {
  await world.serve();
  expect(await code('run', '{human}')).toBe(5);
});

test('6: the run was cancelled', async () => {
  await world.serve();
  expect(await code('run', '{cancelled}')).toBe(6);
});

test('7: stopped by a limit', async () => {
  await world.serve();
  const { code: exit, stderr } = await world.run(['run', '{limit}']);
  expect(exit).toBe(7);
  expect(stderr).toMatch(/next: Raise it and go on: `berth resume r-\w+ --limit cost=4`/);
});

test('8: not found', async () => {
  await world.serve();
  expect(await code('show', 'r-nothing')).toBe(8);
});

test('9: not possible in this state', async () => {
  await world.serve();
  await world.run(['run', 'fix it']);
  expect(await code('cancel')).toBe(9);
});

test('10: the server cannot serve now', async () => {
  const plane = await world.serve();
  plane.doctor = async () => {
    throw new BerthError('DATABASE_UNAVAILABLE');
  };
  expect(await code('doctor')).toBe(10);
});

test('11: doctor found a failure', async () => {
  const plane = await world.serve();
  const found = await plane.doctor();
  plane.doctor = async () => ({ ...found, ok: false });
  expect(await code('doctor')).toBe(11);
  expect(await code('doctor', '--exit-zero')).toBe(0);
});

test('124: the time given has passed', async () => {
  await world.serve({ worker: false });
  expect(await code('run', 'fix it', '--timeout', '0.2s')).toBe(124);
});

test('130: interrupted', async () => {
  await world.serve({ worker: false });
  const run = world.start(['run', 'fix it']);
  await run.wrote('run.created');
  run.child.kill('SIGINT');
  expect((await run.finished).code).toBe(130);
});

test('every row of the table is what help prints', async () => {
  const { stdout } = await world.run(['help', 'exit-codes']);
  for (const [number, meaning] of exitCodes)
    expect(stdout).toContain(`${String(number).padStart(3)}  ${meaning}`);
});

test('a run that waits for a person because of a limit counts as stopped by the limit', () => {
  expect(exitCodeOf({ state: 'needs_human', code: 'LIMIT_STEPS' })).toBe(7);
  expect(exitCodeOf({ state: 'cancelled', code: 'LIMIT_STEPS' })).toBe(6);
});
