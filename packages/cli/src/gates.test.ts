import { afterEach, beforeEach, expect, test } from 'vitest';
import { World } from './testing/spawn-berth.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(async () => world.end());

test('a follower without a terminal leaves a run that waits for approval with 5 and says what to do', async () => {
  await world.serve();
  const { code, stderr } = await world.run(['run', 'mend it {gate}']);
  expect(code).toBe(5);
  expect(stderr).toMatch(
    /Waits for approval before the change is pushed \(2 files \+7 -1, tree 9f1c2ab45d\)/,
  );
  expect(stderr).toMatch(/next: berth approve r-\w+ · berth refuse r-\w+/);
});

test('with --wait it goes on waiting, and to the end once somebody approves', async () => {
  await world.serve();
  const run = world.start(['run', 'mend it {gate}', '--wait']);
  await run.wrote('gate.opened');
  const listed = await world.run(['gates', '--json']);
  expect(JSON.parse(listed.stdout)).toMatchObject({
    items: [{ id: 'g-fake-1', state: 'open', at: 'proposal' }],
  });
  const status = await world.run(['status']);
  expect(status.stdout).toContain('Waits for approval');
  const approved = await world.run(['approve', '-m', 'looks right']);
  expect([approved.code, approved.stderr]).toEqual([0, expect.stringContaining('approved by tester')]);
  expect((await run.finished).code).toBe(0);
  expect((await run.finished).stderr).toContain('gate.decided approved by tester: looks right');
});

test('a refused run is cancelled, and what is decided cannot be decided again', async () => {
  await world.serve();
  await world.run(['run', 'mend it {gate}']);
  const refused = await world.run(['refuse', 'latest', '--json']);
  expect(JSON.parse(refused.stdout)).toMatchObject({ state: 'refused', decidedBy: 'tester' });
  expect((await world.run(['approve', 'g-fake-1'])).code).toBe(9);
  const again = await world.run(['approve', 'latest']);
  expect([again.code, again.stderr]).toEqual([9, expect.stringContaining('decided by tester')]);
  expect((await world.run(['approve'])).code).toBe(8);
});
