import { afterAll, beforeAll, expect, test } from 'vitest';
import { firstDay } from './commands/usage.ts';
import { World } from './testing/spawn-berth.ts';

let world: World;
beforeAll(async () => {
  world = new World();
  await world.serve();
});
afterAll(async () => world.end());

test('berth usage tells what was used, as a table, as a document and as budgets', async () => {
  expect(await world.run(['usage', '--json', '--by', 'model,day'])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^\{"schema":"berth.usage\/v1".*"by":\["model","day"\]/) as unknown,
  });
  expect(await world.run(['usage', '--by', ''])).toMatchObject({
    code: 0,
    stdout: '0.0000\t0.0000\t0\t0\t0\t0\t0\n',
  });
  expect(await world.run(['usage', '--budgets'])).toMatchObject({ code: 0, stderr: 'No budget is set.\n' });
  expect(await world.run(['usage', '--since', 'ever'])).toMatchObject({ code: 2 });
  expect(await world.run(['usage', '--by', 'colour'])).toMatchObject({ code: 2 });
});

test('days back count today', () => {
  const nowMs = Date.parse('2026-11-21T22:00:00Z');
  expect([firstDay('1d', nowMs), firstDay('7d', nowMs), firstDay('2026-01-31', nowMs)]).toEqual([
    '2026-11-21',
    '2026-11-15',
    '2026-01-31',
  ]);
});
