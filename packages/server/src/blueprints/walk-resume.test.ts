import { expect, test } from 'vitest';
import { stepHarness, type Harness } from '../testing/step-harness.ts';
import { walk } from './walk.ts';
import type { RunEnd } from './walker.ts';

const blueprint = { version: 1, checks: [{ name: 'test', kind: 'test', run: 'npm test' }] };

async function walkedToEnd(harness: Harness): Promise<RunEnd> {
  const end = await walk(harness.context(), harness.deps);
  await harness.context().events.append({ type: 'run.ended', data: end });
  return end;
}

const resume = (harness: Harness): Promise<unknown> =>
  harness.context().events.append({ type: 'run.resumed', data: { by: 'somebody', limits: {} } });

test('a verification that failed for a passing reason is done again on resume, and the draft becomes ready', async () => {
  let down = true;
  const harness = stepHarness({
    blueprint,
    limits: { rounds: 0 },
    world: {
      agent: (_request, world) => {
        world.tree = 'done';
        return 'done';
      },
      respond: (purpose) => (purpose === 'verify' && down ? { exitCode: 1, output: 'no space left' } : {}),
    },
  });
  expect(await walkedToEnd(harness)).toMatchObject({ outcome: 'needs_human', code: 'VERIFY_FAILED' });
  expect(harness.world.pulls[0]!.draft).toBe(true);
  down = false;
  await resume(harness);
  expect(await walkedToEnd(harness)).toMatchObject({ outcome: 'succeeded', code: null });
  expect(harness.world.pulls).toHaveLength(1);
  expect(harness.world.pulls[0]!.draft).toBe(false);
});

test('a setup that failed runs again on resume', async () => {
  let down = true;
  const harness = stepHarness({
    blueprint: { ...blueprint, setup: [{ run: 'npm ci' }] },
    world: {
      agent: (_request, world) => {
        world.tree = 'done';
        return 'done';
      },
      respond: (_purpose, command) => (command.purpose === 'setup' && down ? { exitCode: 1 } : {}),
    },
  });
  expect(await walkedToEnd(harness)).toMatchObject({ outcome: 'failed', code: 'SETUP_FAILED' });
  down = false;
  await resume(harness);
  expect(await walkedToEnd(harness)).toMatchObject({ outcome: 'succeeded' });
});

test('an agent that ran into a limit goes on when it is raised, and its work is checked anew', async () => {
  let limited = true;
  const harness = stepHarness({
    blueprint,
    world: {
      agent: (_request, world) => {
        world.tree = limited ? 'half' : 'whole';
        return limited ? 'limit' : 'done';
      },
    },
  });
  expect(await walkedToEnd(harness)).toMatchObject({ outcome: 'needs_human' });
  expect(harness.world.pulls[0]).toMatchObject({ draft: true, head: 'commit-half' });
  limited = false;
  await resume(harness);
  expect(await walkedToEnd(harness)).toMatchObject({ outcome: 'succeeded' });
  expect(harness.world.pulls).toHaveLength(1);
  expect(harness.world.pulls[0]).toMatchObject({ draft: false, head: 'commit-whole' });
});
