import { expect, test } from 'vitest';
import { blueprintSchema } from '../domain/blueprint.ts';
import { defaultRunLimits } from '../domain/limits.ts';
import { type CheckVerdict, emptyRunState, type RunState } from '../domain/run-state.ts';
import { readinessOf } from './readiness.ts';

const tree = 'a'.repeat(40);
const base = { ref: 'main', commit: 'b'.repeat(40) };
const step = '0:verify';

/** A run whose one check passed in `verify`, with what a test changes about the verdict. */
function verified(over: Partial<CheckVerdict>): RunState {
  const verdict: CheckVerdict = {
    step,
    name: 'test',
    kind: 'test',
    commandId: 'c',
    command: 'npm test',
    exitCode: 0,
    durationMs: 1,
    tree,
    verdict: 'passed',
    failure: null,
    ...over,
  };
  const blueprint = blueprintSchema.parse({
    version: 1,
    checks: [{ name: 'test', kind: 'test', run: 'npm test' }],
    steps: ['verify', 'propose'],
  });
  const settled = { state: 'passed' as const, code: null, sentence: '', durationMs: 1, costUsd: 0 };
  return {
    ...emptyRunState('r-1'),
    plan: {
      base,
      blueprint,
      source: { kind: 'detected', ecosystems: [] },
      limits: defaultRunLimits,
      models: {},
      simulated: false,
    },
    steps: [{ key: step, kind: 'verify', round: 0, startedAt: '2026-01-01T00:00:00.000Z', ...settled }],
    checks: [verdict],
    proposal: {
      commit: 'c'.repeat(40),
      tree,
      base: base.commit,
      branch: 'b',
      files: 1,
      added: 1,
      removed: 0,
    },
  };
}

test('a check that passed on exactly the proposed tree makes it ready', () => {
  expect(readinessOf(verified({}))).toEqual({ ready: true });
});

test.each<[string, Partial<CheckVerdict>, string]>([
  ['ran on another tree', { tree: 'd'.repeat(40) }, 'VERIFY_TREE_MISMATCH'],
  ['failed', { verdict: 'failed', exitCode: 1 }, 'VERIFY_FAILED'],
  ['was judged in another step only', { step: '0:check' }, 'NOT_VERIFIED'],
  ['is not that of the blueprint', { name: 'lint' }, 'NOT_VERIFIED'],
])('a step that says it passed is not believed when its check %s', (_what, over, code) => {
  expect(readinessOf(verified(over))).toMatchObject({ ready: false, code });
});
