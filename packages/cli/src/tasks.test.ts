import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FakeControlPlane } from '@berth/server/testing/fake-control-plane.ts';
import { World } from './testing/spawn-berth.ts';

let world: World;
let plane: FakeControlPlane;
let run: string;
beforeAll(async () => {
  world = new World();
  plane = await world.serve();
  run = (await world.run(['run', 'fix the date test', '-q', '--wait'])).stdout.trim();
});
afterAll(async () => world.end());

const first = (text: string): string => text.trim().split('\n').at(-1) ?? '';

test('tasks are listed and viewed, and lists are narrowed by a filter the server reads', async () => {
  const { stdout } = await world.run(['tasks', '--json', '--filter', 'status:succeeded date']);
  const { items } = JSON.parse(stdout) as {
    items: { id: string; run: string; status: { reason: string } }[];
  };
  expect(items).toMatchObject([{ run, title: 'fix the date test' }]);
  const { status } = await plane.getRun(run);
  expect(items[0]!.status).toEqual(status);
  expect((await world.run(['tasks', 'view', items[0]!.id])).stdout).toContain(status.reason);
  expect(first((await world.run(['runs', '--filter', 'fix', '-q'])).stdout)).toBe(run);
  expect((await world.run(['runs', '--filter', 'status:failed', '-q'])).stdout).toBe('');
  const wrong = await world.run(['tasks', '--filter', 'fix colour:red']);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('column 5')]);
});

test('a run is tried again and branched off, and its past is shown', async () => {
  const again = await world.run(['retry', run, '--text', 'and nothing else', '--detach']);
  expect(again.code).toBe(0);
  expect(plane.acts).toContain('retry tester');
  expect((await plane.getRun(first(again.stdout))).parent).toMatchObject({ run });
  const events = await plane.listEvents(run, { afterSeq: 0, limit: 1_000 });
  const fork = await world.run(['runs', 'fork', run, '--at', '2', '--detach']);
  expect([fork.code, fork.stderr]).toEqual([8, expect.stringContaining('CHECKPOINT_NONE')]);
  const past = await world.run(['replay', run, '--at', '3', '--json']);
  expect(JSON.parse(past.stdout)).toMatchObject({ seq: 3, head: events.length, outline: { seq: 3 } });
  expect((await world.run(['runs', 'replay', run, '--at', '3'])).stdout).toContain(`3 of ${events.length}`);
  for (const at of ['0', 'x', '1.5']) expect((await world.run(['replay', run, '--at', at])).code).toBe(2);
});
