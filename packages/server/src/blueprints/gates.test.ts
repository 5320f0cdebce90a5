import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { EventData } from '../domain/events/index.ts';
import type { PlannedGates } from '../domain/gates.ts';
import { BerthError } from '../domain/errors/index.ts';
import { statusOf } from '../domain/run-status.ts';
import { Crash, stepHarness, type Harness, type World } from '../testing/step-harness.ts';
import { walk } from './walk.ts';
import type { RunEnd } from './walker.ts';

const blueprint = {
  version: 1,
  setup: [{ run: 'npm ci', egress: [{ ecosystem: 'npm' }] }],
  checks: [{ name: 'test', kind: 'test', run: 'npm test' }],
  steps: ['setup', 'agent', 'check', 'judge', 'verify', 'propose'],
};

const works = (world: World): 'done' => {
  world.tree = 'tree-1';
  return 'done';
};
const protectedPath = {
  code: 'PROPOSAL_PROTECTED_PATH',
  sentence: 'the change touches protected paths: .github/ci.yml',
  severity: 'person',
} as const;
const secret = {
  code: 'PROPOSAL_SECRET_FOUND',
  sentence: 'the change holds what looks like a secret in a.txt:1',
  severity: 'refuse',
} as const;
const objects = '{"verdict":"object","reasons":["it also renames a file"]}';

const gatesAt = (...at: PlannedGates['at']): PlannedGates => ({
  at,
  selfApproval: true,
  expiresAfterMs: 86_400_000,
  requesters: ['ann@example.com'],
});

function gated(gates: PlannedGates, world: Partial<World> = {}): Harness {
  return stepHarness({ blueprint, gates, world: { agent: (_request, it) => works(it), ...world } });
}

/** Walks until the end or until a person has to decide; null: it waits. */
async function walked(harness: Harness): Promise<RunEnd | null> {
  try {
    return await walk(harness.context(), harness.deps);
  } catch (error) {
    if (error instanceof BerthError && error.code.startsWith('GATE_')) return null;
    throw error;
  }
}

async function decideGate(
  harness: Harness,
  verdict: EventData<'gate.decided'>['verdict'],
  comment: string | null = null,
): Promise<void> {
  const gateId = harness.state().gate?.id ?? '';
  const data = { gateId, verdict, by: 'ben@example.com', comment, requestId: `i-${gateId}` };
  await harness.context().events.append({ type: 'gate.decided', data });
}

test('a gate at the start opens before the first step, and an approval lets the run begin', async () => {
  const harness = gated(gatesAt('start'));
  expect(await walked(harness)).toBeNull();
  expect(harness.state().steps).toEqual([]);
  expect(harness.state().gate).toMatchObject({ id: 'g-1-1', at: 'start', proposal: null });
  expect(statusOf(harness.state())).toMatchObject({
    state: 'paused',
    code: 'GATE_START',
    next: 'berth approve r-1 · berth refuse r-1',
  });
  expect(await walked(harness)).toBeNull();
  expect(harness.state().gates).toHaveLength(1);
  await decideGate(harness, 'approved');
  expect(await walked(harness)).toMatchObject({ outcome: 'succeeded' });
  expect(harness.state().gates).toHaveLength(1);
});

test.each([
  ['refused', 'cancelled', 'GATE_REFUSED', 'Refused by ben@example.com: not now'],
  ['expired', 'needs_human', 'GATE_EXPIRED', 'Nobody decided before'],
] as const)('a start that is %s ends the run without a step', async (verdict, outcome, code, sentence) => {
  const harness = gated(gatesAt('start'));
  await walked(harness);
  await decideGate(harness, verdict, verdict === 'refused' ? 'not now' : null);
  const end = await walked(harness);
  expect(end).toMatchObject({ outcome, code });
  expect(end?.sentence).toContain(sentence);
  expect(harness.state().steps).toEqual([]);
});

test('a gate at the proposal holds no sandbox, pushes nothing, and approves exactly the shown tree', async () => {
  const harness = gated(gatesAt('proposal'));
  expect(await walked(harness)).toBeNull();
  const { gate, sandboxes, steps } = harness.state();
  expect(gate).toMatchObject({
    at: 'proposal',
    objections: [],
    proposal: { commit: 'commit-tree-1', tree: 'tree-1' },
  });
  expect(sandboxes).toEqual({ work: null, verify: null, baseline: null });
  expect(steps.at(-1)).toMatchObject({ kind: 'propose', state: 'running' });
  expect(harness.world.branches.size).toBe(0);
  expect(harness.world.pulls).toEqual([]);
  await decideGate(harness, 'approved');
  expect(await walked(harness)).toMatchObject({ outcome: 'succeeded' });
  expect(harness.world.branches.get('berth/greet-the-user-1')).toBe('commit-tree-1');
  expect(harness.world.pulls).toMatchObject([{ draft: false, head: 'commit-tree-1' }]);
});

test('an approval does not hold for another commit than the one it was given for', async () => {
  const harness = gated(gatesAt('proposal'));
  await walked(harness);
  await decideGate(harness, 'approved');
  // As if the work had gone on after the approval: the proposal is another one.
  const { proposal } = harness.state();
  if (proposal === null) throw new Error('no proposal');
  await harness
    .context()
    .events.append({ type: 'proposal.made', data: { ...proposal, commit: 'commit-tree-2', tree: 'tree-2' } });
  expect(await walked(harness)).toBeNull();
  expect(harness.state().gate).toMatchObject({ id: 'g-1-2', proposal: { tree: 'tree-2' } });
  expect(harness.world.branches.size).toBe(0);
});

test('a refused proposal is kept as a branch, and nothing is pushed', async () => {
  const harness = gated(gatesAt('proposal'));
  await walked(harness);
  await decideGate(harness, 'refused', 'we do it by hand');
  expect(await walked(harness)).toMatchObject({ outcome: 'cancelled', code: 'GATE_REFUSED' });
  expect(harness.world.kept.get('berth/greet-the-user-1')).toBe('commit-tree-1');
  expect(harness.world.branches.size).toBe(0);
});

test('a proposal nobody decided on is asked about again when the run goes on', async () => {
  const harness = gated(gatesAt('proposal'));
  await walked(harness);
  await decideGate(harness, 'expired');
  const end = await walked(harness);
  expect(end).toMatchObject({ outcome: 'needs_human', code: 'GATE_EXPIRED' });
  const { events } = harness.context();
  await events.append({ type: 'run.ended', data: { ...end!, outcome: 'needs_human' } });
  await events.append({ type: 'run.resumed', data: { by: 'ann@example.com', limits: {} } });
  expect(await walked(harness)).toBeNull();
  expect(harness.state().gate).toMatchObject({ id: 'g-1-2', proposal: { tree: 'tree-1' } });
  await decideGate(harness, 'approved');
  expect(await walked(harness)).toMatchObject({ outcome: 'succeeded' });
});

test('approving objections waives exactly those, with the name of who did', async () => {
  const harness = gated(gatesAt('objection'), { findings: [protectedPath], judge: objects });
  expect(await walked(harness)).toBeNull();
  expect(harness.state().gate?.objections.map((one) => one.code)).toEqual([
    'JUDGE_OBJECTED',
    'PROPOSAL_PROTECTED_PATH',
  ]);
  await decideGate(harness, 'approved');
  const end = await walked(harness);
  expect(end).toMatchObject({ outcome: 'succeeded' });
  expect(end?.sentence).toContain('objections waived by ben@example.com');
  expect(harness.world.pulls).toMatchObject([{ draft: false }]);
  expect(harness.world.pulls[0]?.body).toMatch(
    /\*\*Approved although\*\*\n\n- `JUDGE_OBJECTED`.*\n- `PROPOSAL_PROTECTED_PATH`/,
  );
  expect(harness.world.pulls[0]?.body).not.toContain('ben@example.com');
});

test('an objection that the gate did not list is not waived', async () => {
  const harness = gated(gatesAt('objection'), { findings: [protectedPath] });
  await walked(harness);
  await decideGate(harness, 'approved');
  harness.world.contents.set('commit-tree-1:package.json', '{"scripts":{"test":"true"}}');
  expect(await walked(harness)).toBeNull();
  expect(harness.state().gate?.objections.map((one) => one.code)).toEqual(['CHECKS_CHANGED']);
});

test('without the objection gate it is a draft with reasons, as ever', async () => {
  for (const gates of [undefined, gatesAt('start'), gatesAt('proposal')]) {
    const options = { findings: [protectedPath], agent: (_request: unknown, it: World) => works(it) };
    const harness = stepHarness({ blueprint, world: options, ...(gates === undefined ? {} : { gates }) });
    let end = await walked(harness);
    if (end === null) {
      await decideGate(harness, 'approved');
      end = await walked(harness);
    }
    expect(end).toMatchObject({ outcome: 'needs_human', code: 'PROPOSAL_PROTECTED_PATH' });
    expect(harness.world.pulls).toMatchObject([{ draft: true }]);
  }
});

test('a secret is never waived and never pushed', async () => {
  const harness = gated(gatesAt('proposal', 'objection'), { findings: [secret, protectedPath] });
  expect(await walked(harness)).toMatchObject({ outcome: 'needs_human', code: 'PROPOSAL_SECRET_FOUND' });
  expect(harness.state().gates).toEqual([]);
  expect(harness.world.branches.size).toBe(0);
});

test('whatever is approved: nothing leaves unapproved, and only what was verified is ready', async () => {
  const scene = fc.record({
    at: fc.subarray(['start', 'proposal', 'objection'] as const),
    verdicts: fc.array(fc.constantFrom('approved', 'approved', 'refused', 'expired'), {
      minLength: 1,
      maxLength: 4,
    }),
    verifies: fc.boolean(),
    findings: fc.subarray([protectedPath, secret]),
    judge: fc.constantFrom(objects, '{"verdict":"ok","reasons":[]}'),
    fuse: fc.integer({ min: 1, max: 90 }),
  });
  await fc.assert(
    fc.asyncProperty(scene, async (plan) => {
      const harness = gated(gatesAt(...plan.at), {
        findings: plan.findings,
        judge: plan.judge,
        fuse: plan.fuse,
        respond: (purpose) =>
          purpose === 'verify' && !plan.verifies ? { exitCode: 1, output: 'not ok 1 - x' } : {},
      });
      let end: RunEnd | null = null;
      for (let round = 0, decided = 0; end === null; round += 1) {
        expect(round).toBeLessThan(20);
        try {
          end = await walked(harness);
          if (end === null) {
            await decideGate(harness, plan.verdicts[decided % plan.verdicts.length]!);
            decided += 1;
          }
        } catch (error) {
          // The append before the crash may be there or not: either way it goes on.
          if (!(error instanceof Crash)) throw error;
        }
      }
      const { gates, proposal } = harness.state();
      const approved = gates.filter((gate) => gate.decision?.verdict === 'approved');
      const pull = harness.world.pulls[0];
      const left = harness.world.branches.size > 0;
      if (plan.findings.includes(secret)) expect(left).toBe(false);
      if (left && plan.at.includes('start')) expect(approved.some((gate) => gate.at === 'start')).toBe(true);
      if (left && plan.at.includes('proposal'))
        expect(approved.some((gate) => gate.proposal?.commit === proposal?.commit)).toBe(true);
      if (left && plan.at.includes('objection') && plan.findings.length > 0)
        expect(approved.some((gate) => gate.at === 'objection')).toBe(true);
      if (pull !== undefined && !pull.draft) {
        expect(plan.verifies).toBe(true);
        expect(end.outcome).toBe('succeeded');
      }
      if (gates.some((gate) => gate.decision?.verdict === 'refused'))
        expect([end.outcome, end.code, left]).toEqual(['cancelled', 'GATE_REFUSED', false]);
      expect(new Set(gates.map((gate) => gate.id)).size).toBe(gates.length);
    }),
    { numRuns: 300 },
  );
});
