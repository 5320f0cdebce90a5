import { afterAll, beforeAll, expect, test } from 'vitest';
import { readPlace } from './commands/egress.ts';
import { World } from './testing/spawn-berth.ts';

let world: World;
beforeAll(async () => {
  world = new World();
  await world.serve();
});
afterAll(async () => world.end());

test('berth egress explain needs a place, a project that is there and a step that is one', async () => {
  expect(await world.run(['egress', 'explain', 'http://a.example/', '--project', 'x'])).toMatchObject({
    code: 2,
  });
  expect(await world.run(['egress', 'explain', 'a.example', '--project', 'none'])).not.toMatchObject({
    code: 0,
  });
  expect(
    await world.run(['egress', 'explain', 'a.example', '--project', 'x', '--step', 'propose']),
  ).toMatchObject({ code: 2 });
  expect((await world.run(['egress', 'explain', 'a.example', '--json=?'])).stdout).toContain('addresses');
});

test('places are hosts, hosts with ports, and addresses', () => {
  expect(readPlace('a.example')).toEqual({ host: 'a.example', port: 443 });
  expect(readPlace('a.example:80')).toEqual({ host: 'a.example', port: 80 });
  expect(readPlace('10.0.0.1:8443')).toEqual({ host: '10.0.0.1', port: 8443 });
  expect(readPlace('fd00::1')).toEqual({ host: 'fd00::1', port: 443 });
  expect(readPlace('[fd00::1]:80')).toEqual({ host: 'fd00::1', port: 80 });
  for (const bad of ['', 'a:0', 'a:99999', 'a:b', 'http://a', 'a/b']) expect(() => readPlace(bad)).toThrow();
});
