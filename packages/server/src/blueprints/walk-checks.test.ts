import { expect, test } from 'vitest';
import { stepHarness, type Harness, type World } from '../testing/step-harness.ts';
import { walk } from './walk.ts';
import type { RunEnd } from './walker.ts';

const blueprint = {
  version: 1,
  setup: [{ run: 'npm ci', egress: [{ ecosystem: 'npm' }] }],
  checks: [{ name: 'test', kind: 'test', run: 'npm test' }],
};

function walked(harness: Harness): Promise<RunEnd> {
  return walk(harness.context(), harness.deps);
}

/** The agent changes the tree in every round. */
function works(world: World, round: number): 'done' {
  world.tree = `tree-${round}`;
  return 'done';
}

test('a fix for the whole repository leaves alone what was never in order', async () => {
  const harness = stepHarness({
    blueprint: {
      version: 1,
      checks: [{ name: 'format', kind: 'format', run: 'npm run format:check', fix: 'npm run format' }],
    },
    world: {
      changed: ['src/a.ts'],
      agent: (request, world) => works(world, request.round),
      respond: (_purpose, command) =>
        command.name.startsWith('format') ? { exitCode: 1, output: 'a.ts\nb.ts' } : {},
    },
  });
  expect(await walked(harness)).toMatchObject({ outcome: 'succeeded' });
  expect(harness.world.executed.filter((command) => command.run === 'npm run format')).toEqual([]);
});

test('affected tests get the changed files; verify runs the full command', async () => {
  const harness = stepHarness({
    blueprint: {
      version: 1,
      checks: [{ name: 'test', kind: 'test', run: 'full', affected: 'narrow "$@"', cwd: 'web' }],
    },
    world: { changed: ['web/src/a.ts', 'docs/b.md'], agent: (request, world) => works(world, request.round) },
  });
  await walked(harness);
  const tests = harness.world.executed.filter((command) => /^(?:full|narrow)/.test(command.run));
  expect(tests.map(({ purpose, run, args }) => [purpose, run, args])).toEqual([
    ['work', 'narrow "$@"', ['src/a.ts']],
    ['verify', 'full', []],
  ]);
});

test('a work sandbox that is lost in a check is set up again before the check runs there', async () => {
  let lost = false;
  const harness = stepHarness({
    blueprint,
    world: {
      agent: (request, world) => works(world, request.round),
      respond: (purpose, command) => {
        if (lost || purpose !== 'work' || command.name !== 'test') return {};
        lost = true;
        return { losesSandbox: true };
      },
    },
  });
  expect(await walked(harness)).toMatchObject({ outcome: 'succeeded' });
  const verdict = harness.state().checks[0]!;
  const ran = harness.world.executed.findLast((command) => command.id === verdict.commandId)!;
  const before = harness.world.executed.slice(0, harness.world.executed.indexOf(ran));
  expect(before.some((command) => command.run === 'npm ci' && command.sandboxId === ran.sandboxId)).toBe(
    true,
  );
});

const stillRed = 'TAP version 13\nnot ok 1 - dates are parsed\n';

test('a failing test that the task is about is not excused by having failed before: repair, then a draft', async () => {
  const harness = stepHarness({
    blueprint,
    task: 'Fix how dates are parsed',
    world: {
      agent: (request, world) => works(world, request.round),
      respond: (_purpose, command) =>
        command.name.startsWith('test') ? { exitCode: 1, output: stillRed } : {},
    },
  });
  expect(await walked(harness)).toMatchObject({ outcome: 'needs_human', code: 'CHECKS_FAILED' });
  expect(harness.state().steps.filter((step) => step.kind === 'agent')).toHaveLength(3);
  expect(harness.world.pulls[0]!.draft).toBe(true);
});

test('what passed where the agent worked and fails in a fresh sandbox is no old failure', async () => {
  // The shim in the agent's sandbox hides a failure that the base commit has, too.
  const harness = stepHarness({
    blueprint,
    world: {
      agent: (request, world) => works(world, request.round),
      respond: (purpose, command) =>
        command.name.startsWith('test') && purpose !== 'work' ? { exitCode: 1, output: stillRed } : {},
    },
  });
  expect(await walked(harness)).toMatchObject({ outcome: 'needs_human', code: 'VERIFY_FAILED' });
  expect(harness.world.pulls[0]!.draft).toBe(true);
});
