import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { baseTree, Crash, stepHarness, type Harness, type World } from '../testing/step-harness.ts';
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

const hasStep = (steps: readonly string[], name: string): boolean => steps.includes(name);

test('a crash at any point ends in the same way, with one branch and one pull request', async () => {
  const world = (): Partial<World> => ({
    agent: (request, it) => works(it, request.round),
    respond: (purpose, command, it) =>
      purpose === 'work' && command.name === 'test' && it.tree === 'tree-0'
        ? { exitCode: 1, output: failing }
        : {},
  });
  const calm = stepHarness({ blueprint, world: world() });
  const expected = await walked(calm);
  const commands = (harness: Harness): string[] =>
    [...new Set(harness.world.executed.map(({ id }) => id))].sort();
  let crashes = 0;
  for (let fuse = 1; ; fuse += 1) {
    const harness = stepHarness({ blueprint, world: { ...world(), fuse } });
    let end: RunEnd | null = null;
    while (end === null) {
      try {
        end = await walked(harness);
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        crashes += 1;
      }
    }
    expect([fuse, end]).toEqual([fuse, expected]);
    expect(harness.world.pulls).toHaveLength(1);
    expect(harness.world.pulls[0]!.draft).toBe(false);
    expect([...harness.world.branches.keys()]).toEqual(['berth/greet-the-user-1']);
    expect(commands(harness)).toEqual(commands(calm));
    expect(harness.state().checks.map(({ name, verdict }) => [name, verdict])).toEqual(
      calm.state().checks.map(({ name, verdict }) => [name, verdict]),
    );
    if (harness.world.fuse > 0) break;
  }
  expect(crashes).toBeGreaterThan(50);
});

test('whatever happens: it ends, within its rounds, and ready only after verify passed on that very tree', async () => {
  const outcome = fc.record({
    agents: fc.array(fc.constantFrom('done', 'gave-up', 'stuck', 'limit'), { minLength: 1, maxLength: 4 }),
    changes: fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }),
    exits: fc.array(fc.constantFrom(0, 0, 1, 2), { minLength: 1, maxLength: 12 }),
    rounds: fc.integer({ min: 0, max: 2 }),
    steps: fc.constantFrom(
      ['setup', 'agent', 'check', 'verify', 'propose'],
      ['setup', 'agent', 'check', 'judge', 'verify', 'propose'],
      ['agent', 'check', 'agent', 'check', 'verify', 'propose'],
      ['setup', 'check', 'verify', 'propose'],
      ['agent', 'check'],
    ),
    judge: fc.constantFrom('{"verdict":"ok","reasons":[]}', '{"verdict":"object","reasons":[]}', '?'),
  });
  await fc.assert(
    fc.asyncProperty(outcome, async (plan) => {
      let agents = 0;
      let commands = 0;
      const exits = new Map<string, number>();
      const harness = stepHarness({
        blueprint: {
          ...blueprint,
          steps: plan.steps,
          ...(hasStep(plan.steps, 'setup') ? {} : { setup: [] }),
        },
        limits: { rounds: plan.rounds },
        world: {
          judge: plan.judge,
          agent: (_request, world) => {
            agents += 1;
            if (plan.changes[agents % plan.changes.length]!) world.tree = `tree-${agents}`;
            return plan.agents[agents % plan.agents.length]!;
          },
          respond: (_purpose, command) => {
            if (!command.name.startsWith('test')) return {};
            commands += 1;
            const exitCode = plan.exits[commands % plan.exits.length]!;
            exits.set(command.id, exitCode);
            return { exitCode, output: exitCode === 0 ? '' : `${failing}# ${exitCode}\n` };
          },
        },
      });
      const end = await walked(harness);
      const state = harness.state();
      const firsts = plan.steps.filter((step) => step === 'agent').length;
      expect(
        state.steps.filter((step) => step.round > 0 && step.kind === 'agent').length,
      ).toBeLessThanOrEqual(plan.rounds);
      expect(agents).toBeLessThanOrEqual(firsts * (plan.rounds + 1));
      expect(harness.world.pulls.length).toBeLessThanOrEqual(1);
      const pull = harness.world.pulls[0];
      if (pull !== undefined && !pull.draft) {
        const last = state.checks.findLast((check) => check.step.includes('verify'))!;
        const ran = harness.world.executed.findLast((command) => command.id === last.commandId)!;
        expect(ran.purpose).toBe('verify');
        expect(`commit-${last.tree}`).toBe(pull.head);
        expect(last.verdict).not.toBe('failed');
        expect(last.verdict === 'preexisting' || exits.get(last.commandId) === 0).toBe(true);
        expect(end.outcome).toBe('succeeded');
      } else if (pull !== undefined) {
        expect(end.outcome).toBe('needs_human');
        expect(end.code).not.toBeNull();
      }
      if (state.proposal === null && hasStep(plan.steps, 'propose'))
        expect(harness.world.tree === baseTree || end.code !== null).toBe(true);
    }),
    { numRuns: 300 },
  );
});
