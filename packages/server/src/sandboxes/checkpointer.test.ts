import { expect, test } from 'vitest';
import type { Checkpoint } from '../domain/run-state.ts';
import { memoryLog } from '../testing/memory-log.ts';
import { checkpointer } from './checkpointer.ts';

const saved = (tree: string): Checkpoint => ({
  id: tree,
  tree,
  proposalTree: tree,
  blob: `sha256-${tree}`,
  bytes: 1,
  files: 1,
  added: 1,
  removed: 0,
});

test('requests that come while one is being saved share the next, and an unchanged tree is not recorded again', async () => {
  const log = memoryLog();
  let saves = 0;
  let release: () => void = () => undefined;
  const points = checkpointer(
    async () => {
      saves += 1;
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return saved('same');
    },
    () => log.state().checkpoint,
    log,
  );
  points.soon();
  points.soon();
  const forced = points.now();
  await expect.poll(() => saves).toBe(1);
  release();
  await expect.poll(() => saves).toBe(2);
  release();
  expect((await forced).tree).toBe('same');
  await points.settled();
  expect(saves).toBe(2);
  expect(log.entries.map((entry) => entry.type)).toEqual(['checkpoint.saved']);
});

test('a failure is told to who waits for it, and the next one is tried', async () => {
  const log = memoryLog();
  let fail = true;
  const points = checkpointer(
    () => (fail ? Promise.reject(new Error('disk')) : Promise.resolve(saved('t'))),
    () => log.state().checkpoint,
    log,
  );
  points.soon();
  await expect(points.now()).rejects.toThrow('disk');
  fail = false;
  expect((await points.now()).tree).toBe('t');
});
