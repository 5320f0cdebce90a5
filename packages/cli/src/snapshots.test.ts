import { afterAll, beforeAll, expect, test } from 'vitest';
import { World } from './testing/spawn-berth.ts';

let world: World;
beforeAll(async () => {
  world = new World();
  const plane = await world.serve();
  plane.snapshots.kept = [
    {
      key: 'a1'.repeat(32),
      madeAt: '2026-01-02T03:04:05.000Z',
      run: 'r-0000000000000001',
      lastUsedAt: '2026-01-03T03:04:05.000Z',
      files: 41_000,
      bytes: 300 * 1024 ** 2,
      storedBytes: 24.4 * 1024 ** 2,
    },
  ];
});
afterAll(async () => world.end());

test('a project’s snapshots are told, not cleared unasked, and cleared when it is said', async () => {
  const listed = await world.run(['projects', 'snapshots', 'list', 'web']);
  expect([listed.code, listed.stderr]).toEqual([0, '']);
  expect(listed.stdout).toContain('a1'.repeat(32));
  expect(listed.stdout).toContain('r-0000000000000001');
  expect(listed.stdout).toContain('24 MiB of at most 4 GiB');
  const document = JSON.parse((await world.run(['projects', 'snapshots', 'list', 'web', '--json'])).stdout);
  expect(document).toMatchObject({ schema: 'berth.snapshots/v1', snapshots: [{ files: 41_000 }] });
  expect((await world.run(['projects', 'snapshots', 'list', 'web', '--json=?'])).stdout).toContain(
    'mostStoredBytes',
  );

  const unasked = await world.run(['projects', 'snapshots', 'clear', 'web']);
  expect(unasked.code).toBe(2);
  expect(unasked.stderr).toContain('--yes');
  const cleared = await world.run(['projects', 'snapshots', 'clear', 'web', '--yes']);
  expect([cleared.code, cleared.stdout]).toEqual([0, '1 forgotten, 24 MiB free again\n']);
  expect((await world.run(['projects', 'snapshots', 'list', 'web'])).stdout).toContain(
    'No snapshot of setup',
  );
});

test('without a project both say what is missing', async () => {
  for (const verb of ['list', 'clear']) {
    const { code, stderr } = await world.run(['projects', 'snapshots', verb]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/project/);
  }
});
