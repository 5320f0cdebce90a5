import { expect, test } from 'vitest';
import { stepHarness, type Harness, type World } from '../testing/step-harness.ts';
import { walk } from './walk.ts';
import type { RunEnd } from './walker.ts';

const blueprint = {
  version: 1,
  setup: [{ run: 'npm ci', egress: [{ ecosystem: 'npm' }] }],
  checks: [{ name: 'test', kind: 'test', run: 'npm test' }],
};

const failing = 'TAP version 13\nnot ok 1 - adds\n';

function walked(harness: Harness): Promise<RunEnd> {
  return walk(harness.context(), harness.deps);
}

/** The agent changes the tree in every round. */
function works(world: World, round: number): 'done' {
  world.tree = `tree-${round}`;
  return 'done';
}

test('a change that passes becomes one ready pull request', async () => {
  const harness = stepHarness({
    blueprint,
    world: { agent: (request, world) => works(world, request.round) },
  });
  const end = await walked(harness);
  expect(end).toMatchObject({ outcome: 'succeeded', code: null });
  expect(harness.world.pulls).toHaveLength(1);
  expect(harness.world.pulls[0]).toMatchObject({ draft: false, head: 'commit-tree-0' });
  expect(harness.world.pulls[0]!.body).toContain('**Verified**');
});

test('setup has its egress and checks have none', async () => {
  const harness = stepHarness({
    blueprint,
    world: { agent: (request, world) => works(world, request.round) },
  });
  await walked(harness);
  for (const command of harness.world.executed) {
    expect([command.run, command.egress]).toEqual([command.run, command.run === 'npm ci' ? 1 : 0]);
  }
});

test('what the agent’s own sandbox says is not the verdict: verify fails what passed there', async () => {
  // A PATH shim, a patched dependency, an ignored file, a background process: whatever makes `work` lie.
  const harness = stepHarness({
    blueprint,
    world: {
      agent: (request, world) => works(world, request.round),
      respond: (purpose, command) =>
        purpose === 'verify' && command.name === 'test' ? { exitCode: 1, output: failing } : {},
    },
  });
  const end = await walked(harness);
  expect(end).toMatchObject({ outcome: 'needs_human', code: 'VERIFY_FAILED' });
  expect(harness.world.pulls).toHaveLength(1);
  expect(harness.world.pulls[0]!.draft).toBe(true);
  expect(harness.world.pulls[0]!.body).not.toContain('I promise');
  expect(harness.state().steps.filter((step) => step.kind === 'agent')).toHaveLength(3);
});

test('a verdict on another tree than the proposed one does not count', async () => {
  const harness = stepHarness({
    blueprint,
    world: { agent: (request, world) => works(world, request.round), verifyTree: 'something else' },
  });
  const end = await walked(harness);
  expect(end).toMatchObject({ outcome: 'needs_human', code: 'VERIFY_TREE_MISMATCH' });
  expect(harness.world.pulls[0]!.draft).toBe(true);
});

test('verification runs in sandboxes in which the agent’s commands never ran', async () => {
  const harness = stepHarness({
    blueprint,
    world: { agent: (request, world) => works(world, request.round) },
  });
  await walked(harness);
  const verdicts = harness.state().checks.filter((check) => check.step.includes('verify'));
  expect(verdicts).toHaveLength(1);
  const ran = harness.world.executed.find((command) => command.id === verdicts[0]!.commandId)!;
  expect(ran.purpose).toBe('verify');
  expect(
    harness.world.executed.filter(
      (command) => command.sandboxId === ran.sandboxId && command.purpose !== 'verify',
    ),
  ).toEqual([]);
});

test('a failed check gives the agent the failing part only, and then passes', async () => {
  const seen: string[] = [];
  const harness = stepHarness({
    blueprint,
    world: {
      agent: (request, world) => {
        if (request.repair !== null) seen.push(request.repair);
        return works(world, request.round);
      },
      respond: (purpose, command, world) =>
        command.name === 'test' && purpose === 'work' && world.tree === 'tree-0'
          ? { exitCode: 1, output: `noise\n${failing}` }
          : {},
    },
  });
  expect(await walked(harness)).toMatchObject({ outcome: 'succeeded' });
  expect(seen).toHaveLength(1);
  expect(seen[0]).toContain('not ok 1 - adds');
  expect(seen[0]).not.toContain('noise');
});

test('a check that failed the same way before is not held against the agent, and is told', async () => {
  const harness = stepHarness({
    blueprint,
    world: {
      agent: (request, world) => works(world, request.round),
      respond: (_purpose, command) =>
        command.name.startsWith('test') ? { exitCode: 1, output: failing } : {},
    },
  });
  expect(await walked(harness)).toMatchObject({ outcome: 'succeeded' });
  expect(harness.state().checks.map((check) => check.verdict)).toEqual(['preexisting', 'preexisting']);
  expect(harness.world.pulls[0]!.body).toContain('the same way on the base commit');
  expect(harness.world.pulls[0]!.body).not.toContain('**Verified**');
  expect(
    harness.world.executed.filter((command) => command.purpose === 'baseline').map(({ run }) => run),
  ).toEqual(['npm ci', 'npm test']);
});

test('a new failure beside an old one is held against it', async () => {
  const harness = stepHarness({
    blueprint,
    limits: { rounds: 0 },
    world: {
      agent: (request, world) => works(world, request.round),
      respond: (purpose, command) => {
        if (!command.name.startsWith('test')) return {};
        return { exitCode: 1, output: purpose === 'baseline' ? failing : `${failing}not ok 2 - subtracts\n` };
      },
    },
  });
  expect(await walked(harness)).toMatchObject({ outcome: 'needs_human', code: 'CHECKS_FAILED' });
});

test('a setup that fails ends the run with the end of its output', async () => {
  const harness = stepHarness({
    blueprint,
    world: { respond: () => ({ exitCode: 1, output: 'npm error ERESOLVE' }) },
  });
  const end = await walked(harness);
  expect(end).toMatchObject({ outcome: 'failed', code: 'SETUP_FAILED' });
  expect(end.sentence).toContain('ERESOLVE');
});

test('a check that never ends is stopped and said so', async () => {
  const harness = stepHarness({
    blueprint,
    limits: { rounds: 0 },
    world: {
      agent: (request, world) => works(world, request.round),
      respond: (purpose, command) =>
        command.name === 'test' && purpose === 'work' ? { timedOut: true } : {},
    },
  });
  expect(await walked(harness)).toMatchObject({ outcome: 'needs_human', code: 'CHECK_TIMED_OUT' });
});

test('an agent that changes nothing ends with a code and no pull request', async () => {
  const harness = stepHarness({ blueprint });
  expect(await walked(harness)).toMatchObject({ outcome: 'needs_human', code: 'NOTHING_CHANGED' });
  expect(harness.world.pulls).toEqual([]);
});

test('what an agent left that gave up becomes a draft', async () => {
  const harness = stepHarness({
    blueprint,
    world: {
      agent: (_request, world) => {
        world.tree = 'half';
        return 'gave-up';
      },
    },
  });
  expect(await walked(harness)).toMatchObject({ outcome: 'needs_human', code: 'WORK_UNFINISHED' });
  expect(harness.world.pulls[0]).toMatchObject({ draft: true, head: 'commit-half' });
});

test('without proposing, the branch is kept and nothing is pushed', async () => {
  const harness = stepHarness({
    blueprint,
    propose: false,
    world: { agent: (request, world) => works(world, request.round) },
  });
  expect(await walked(harness)).toMatchObject({ outcome: 'succeeded' });
  expect(harness.world.pulls).toEqual([]);
  expect(harness.world.branches.size).toBe(0);
  expect([...harness.world.kept.values()]).toEqual(['commit-tree-0']);
});

test('without checks nothing is claimed: a draft that says so', async () => {
  const harness = stepHarness({
    blueprint: { version: 1 },
    world: { agent: (request, world) => works(world, request.round) },
  });
  expect(await walked(harness)).toMatchObject({ outcome: 'needs_human', code: 'NO_CHECKS' });
  expect(harness.world.pulls[0]!.draft).toBe(true);
  expect(harness.world.pulls[0]!.body).toContain('No checks known');
});

test('what policy refuses is never pushed, not even as a draft', async () => {
  const harness = stepHarness({
    blueprint,
    world: {
      agent: (request, world) => works(world, request.round),
      findings: [{ code: 'NEEDS_A_PERSON', sentence: 'a private key in src/a.ts', severity: 'refuse' }],
    },
  });
  expect(await walked(harness)).toMatchObject({ outcome: 'needs_human', code: 'NEEDS_A_PERSON' });
  expect(harness.world.branches.size).toBe(0);
  expect(harness.world.kept.size).toBe(1);
});

test('what a person has to look at becomes a draft', async () => {
  const harness = stepHarness({
    blueprint,
    world: {
      agent: (request, world) => works(world, request.round),
      findings: [{ code: 'NEEDS_A_PERSON', sentence: 'a workflow is changed', severity: 'person' }],
    },
  });
  expect(await walked(harness)).toMatchObject({ outcome: 'needs_human', code: 'NEEDS_A_PERSON' });
  expect(harness.world.pulls[0]!.draft).toBe(true);
});

test('an agent that rewrites the test script does not verify itself', async () => {
  const harness = stepHarness({
    blueprint,
    world: {
      agent: (request, world) => works(world, request.round),
      contents: new Map([
        [`${'b'.repeat(40)}:package.json`, '{"scripts":{"test":"vitest run"}}'],
        ['commit-tree-0:package.json', '{"scripts":{"test":"true"}}'],
      ]),
    },
  });
  expect(await walked(harness)).toMatchObject({ outcome: 'needs_human', code: 'CHECKS_CHANGED' });
  expect(harness.world.pulls[0]!.draft).toBe(true);
});

const manifest = (more: object): string => JSON.stringify({ scripts: { test: 'vitest' }, ...more });

test.each<[string, Partial<World>]>([
  ['a shell for all scripts', { proposed: [{ path: '.npmrc', added: 1, removed: 0 }] }],
  ['another set of tests', { proposed: [{ path: 'packages/a/vitest.config.ts', added: 1, removed: 1 }] }],
  [
    'a test runner of its own',
    {
      contents: new Map([
        [`${'b'.repeat(40)}:package.json`, manifest({ devDependencies: { vitest: '^3.0.0' } })],
        ['commit-tree-0:package.json', manifest({ devDependencies: { vitest: 'file:./tools/fake' } })],
      ]),
    },
  ],
])('a change that brings %s cannot verify itself: a draft', async (_what, world) => {
  const harness = stepHarness({
    blueprint,
    world: { ...world, agent: (request, at) => works(at, request.round) },
  });
  expect(await walked(harness)).toMatchObject({ outcome: 'needs_human', code: 'CHECKS_CHANGED' });
  expect(harness.world.pulls[0]!.draft).toBe(true);
});

test('a package from the registry more is an ordinary change', async () => {
  const harness = stepHarness({
    blueprint,
    world: {
      agent: (request, at) => works(at, request.round),
      contents: new Map([
        [`${'b'.repeat(40)}:package.json`, manifest({ dependencies: { a: '^1.0.0' } })],
        ['commit-tree-0:package.json', manifest({ dependencies: { b: '~2.1.0', a: '^1.0.0' } })],
      ]),
    },
  });
  expect(await walked(harness)).toMatchObject({ outcome: 'succeeded' });
});

test('the judge can only object, with a draft; one that cannot be understood has not agreed', async () => {
  const steps = ['setup', 'agent', 'check', 'judge', 'verify', 'propose'];
  const agent: World['agent'] = (request, world) => works(world, request.round);
  const objects = stepHarness({
    blueprint: { ...blueprint, steps },
    world: { agent, judge: '{"verdict":"object","reasons":["it deletes the test"]}' },
  });
  expect(await walked(objects)).toMatchObject({ outcome: 'needs_human', code: 'JUDGE_OBJECTED' });
  expect(objects.world.pulls[0]!.draft).toBe(true);
  const rambles = stepHarness({
    blueprint: { ...blueprint, steps },
    world: { agent, judge: 'Looks great!' },
  });
  expect(await walked(rambles)).toMatchObject({ outcome: 'needs_human', code: 'JUDGE_SILENT' });
});

test('a blueprint without a model mends by its fix and proposes that', async () => {
  const harness = stepHarness({
    blueprint: {
      version: 1,
      checks: [{ name: 'format', kind: 'format', run: 'check', fix: 'write' }],
      steps: ['setup', 'check', 'verify', 'propose'],
    },
    world: {
      respond: (_purpose, command, world) => {
        if (command.purpose === 'fix') world.tree = 'formatted';
        return {};
      },
    },
  });
  expect(await walked(harness)).toMatchObject({ outcome: 'succeeded' });
  expect(harness.world.pulls[0]).toMatchObject({ draft: false, head: 'commit-formatted' });
});

test('a blueprint without a model that finds nothing to do says so and succeeds', async () => {
  const harness = stepHarness({
    blueprint: {
      version: 1,
      checks: [{ name: 'test', kind: 'test', run: 'npm test' }],
      steps: ['setup', 'check', 'verify', 'propose'],
    },
  });
  expect(await walked(harness)).toMatchObject({ outcome: 'succeeded', code: 'NOTHING_CHANGED' });
  expect(harness.world.pulls).toEqual([]);
});
