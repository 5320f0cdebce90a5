import { afterAll, expect, test } from 'vitest';
import { defaultRunLimits } from '../domain/limits.ts';
import { MemoryBlobs } from '../testing/agent-harness.ts';
import { fakeSpec, UnisolatedFakeDriver } from '../testing/fake-sandbox.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { memoryLog } from '../testing/memory-log.ts';
import { createWorkbench } from './workbench.ts';

const driver = new UnisolatedFakeDriver();
afterAll(() => driver.destroyAll());

test('large checkpoints rest in between, except those that are asked for', async () => {
  const log = memoryLog();
  await log.append({
    type: 'run.planned',
    data: {
      base: { ref: 'main', commit: 'c'.repeat(40) },
      blueprint: {
        version: 1,
        name: 'test',
        setup: [],
        checks: [],
        protectedPaths: [],
        steps: [],
        limits: {},
      },
      source: { kind: 'detected', ecosystems: [] },
      limits: defaultRunLimits,
      models: {},
      simulated: false,
    },
  });
  const clock = new ManualClock();
  let saves = 0;
  const workbench = createWorkbench({
    runId: 'r-test',
    epoch: 1,
    driver,
    limits: fakeSpec().limits,
    events: log,
    log,
    clock,
    blobs: new MemoryBlobs(),
    signal: new AbortController().signal,
    repository: {
      deliver: () => Promise.resolve(),
      saveCheckpoint: () => {
        saves += 1;
        const tree = `tree-${saves}`;
        const counts = { files: 1, added: 1, removed: 0 };
        const bytes = 60 * 1024 * 1024;
        return Promise.resolve({ id: tree, tree, proposalTree: tree, blob: tree, bytes, ...counts });
      },
      restoreCheckpoint: () => Promise.resolve(),
    },
    newSandboxId: () => fakeSpec().id,
  });
  await workbench.checkpoint();
  workbench.checkpointSoon();
  expect((await workbench.checkpoint()).tree).toBe('tree-2');
  await clock.advance(59_000);
  workbench.checkpointSoon();
  await workbench.detach();
  expect(saves).toBe(2);
  await clock.advance(2_000);
  workbench.checkpointSoon();
  await expect.poll(() => saves).toBe(3);
  await workbench.release('work');
});
