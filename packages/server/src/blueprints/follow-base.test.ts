import { expect, test } from 'vitest';
import { baseCommit, Crash, stepHarness, type Harness, type World } from '../testing/step-harness.ts';
import { walk } from './walk.ts';
import type { RunEnd } from './walker.ts';

const blueprint = { version: 1, checks: [{ name: 'test', kind: 'test', run: 'npm test' }] };
const moved = 'c'.repeat(40);

const works: World['agent'] = (_request, world) => {
  world.tree = 'done';
  return 'done';
};

const harnessOf = (world: Partial<World>): Harness =>
  stepHarness({ blueprint, world: { agent: works, ...world } });

const walked = (harness: Harness): Promise<RunEnd> => walk(harness.context(), harness.deps);

const movesOf = (harness: Harness) =>
  harness.events.flatMap((entry) => (entry.type === 'proposal.base-moved' ? [entry.data] : []));

test('a proposal whose base moved is put onto the new one and verified there before it is offered', async () => {
  const harness = harnessOf({ baseNow: moved });
  expect(await walked(harness)).toMatchObject({ outcome: 'succeeded' });
  expect(harness.world.pulls).toHaveLength(1);
  expect(harness.world.pulls[0]).toMatchObject({ draft: false, head: 'commit-rebased-tree' });
  expect(harness.world.pulls[0]!.body).toContain('the run began on');
  expect(movesOf(harness)).toMatchObject([{ from: baseCommit, to: moved, result: 'rebased' }]);
  const verdicts = harness.state().checks.filter((check) => check.step.includes('verify'));
  expect(verdicts.map((check) => [check.step, check.tree])).toEqual([
    ['4:verify', 'done'],
    ['4:verify+1', 'rebased-tree'],
  ]);
});

test('a conflict leaves a draft on the original base that says so', async () => {
  const harness = harnessOf({ baseNow: moved, rebase: 'conflict' });
  const end = await walked(harness);
  expect(end).toMatchObject({ outcome: 'needs_human', code: 'BASE_MOVED' });
  expect(harness.world.pulls[0]).toMatchObject({ draft: true, head: 'commit-done' });
  expect(harness.world.pulls[0]!.body).toMatch(/conflicts with the change in src\/a\.ts.*original base/);
  expect(movesOf(harness)).toMatchObject([{ result: 'conflict' }]);
});

test('a branch that was rewritten is not guessed at', async () => {
  const harness = harnessOf({ baseNow: moved, rebase: 'rewritten' });
  expect(await walked(harness)).toMatchObject({ outcome: 'needs_human', code: 'BASE_MOVED' });
  expect(harness.world.pulls[0]).toMatchObject({ draft: true, head: 'commit-done' });
});

test('what fails on the new base is a draft at once: the agent has never seen that base', async () => {
  const harness = harnessOf({
    baseNow: moved,
    respond: (purpose, command, world) =>
      purpose === 'verify' && command.id.includes('+1') && world.branches.size === 0
        ? { exitCode: 1, output: 'not ok 1 - adds\n' }
        : {},
  });
  expect(await walked(harness)).toMatchObject({ outcome: 'needs_human', code: 'VERIFY_FAILED' });
  expect(harness.world.pulls[0]).toMatchObject({ draft: true, head: 'commit-rebased-tree' });
  expect(harness.state().steps.filter((step) => step.kind === 'agent')).toHaveLength(1);
});

test('a base that never rests is followed twice, then the change is offered where it was verified', async () => {
  const harness = harnessOf({});
  let asked = 0;
  harness.deps.proposals.branchNow = async () => {
    asked += 1;
    return String(asked).repeat(40);
  };
  harness.deps.proposals.rebase = async ({ onto }) => ({
    kind: 'rebased',
    made: { commit: `commit-${onto}`, tree: onto, files: 1, added: 1, removed: 1, findings: [] },
  });
  expect(await walked(harness)).toMatchObject({ outcome: 'succeeded' });
  expect(movesOf(harness).map((move) => move.result)).toEqual(['rebased', 'rebased', 'left']);
  expect(harness.world.pulls[0]).toMatchObject({ draft: false, head: `commit-${'2'.repeat(40)}` });
});

test('killed at any write while it follows the base: one pull request, verified on the tree it offers', async () => {
  const undisturbed = harnessOf({ baseNow: moved });
  await walked(undisturbed);
  for (let fuse = 1; fuse < 200; fuse += 1) {
    const harness = harnessOf({ baseNow: moved, fuse });
    const died = await walked(harness).then(
      () => false,
      (error: unknown) => {
        if (!(error instanceof Crash)) throw error;
        return true;
      },
    );
    if (!died) return;
    harness.world.fuse = Number.POSITIVE_INFINITY;
    expect(await walked(harness), `fuse ${fuse}`).toMatchObject({ outcome: 'succeeded' });
    expect(harness.world.pulls).toHaveLength(1);
    expect(harness.world.pulls[0]).toMatchObject({ draft: false, head: 'commit-rebased-tree' });
    expect(harness.world.branches.size).toBe(1);
    expect(movesOf(harness)).toHaveLength(1);
  }
  throw new Error('the run never ended');
});
