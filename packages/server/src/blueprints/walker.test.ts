import { expect, test } from 'vitest';
import { stepHarness } from '../testing/step-harness.ts';
import { fold, type RunState } from '../domain/run-state.ts';
import type { NewEvent } from '../domain/events/index.ts';
import { decide } from './walker.ts';

/** `key`, or `key state`, or `key state CODE`. */
type Written = string;

function stateAfter(
  steps: readonly Written[],
  options: { blueprint?: object; rounds?: number; more?: readonly NewEvent[] } = {},
): RunState {
  const harness = stepHarness({
    blueprint: { version: 1, checks: [{ name: 'test', kind: 'test', run: 'x' }], ...options.blueprint },
    limits: { rounds: options.rounds ?? 2 },
  });
  const events: NewEvent[] = [...(options.more ?? [])];
  for (const text of steps) {
    const [key, state, code] = text.split(' ') as [string, ('passed' | 'failed' | 'skipped')?, string?];
    const kind = key.replace(/^\d+:/, '').replace(/#.*/, '');
    const round = Number(/#(\d+)/.exec(key)?.[1] ?? 0);
    events.push({ type: 'step.started', data: { key, kind, round } });
    if (state === undefined) continue;
    const data = {
      key,
      kind,
      outcome: state,
      code: code ?? null,
      sentence: `${kind} ${state}`,
      durationMs: 1,
    };
    events.push({ type: 'step.ended', data });
  }
  return events.reduce<RunState>(
    (state, event) => fold(state, { ...event, runId: 'r', seq: state.seq + 1, at: '2026-01-01T00:00:00Z' }),
    harness.state(),
  );
}

const begun = ['0:prefetch passed', '1:setup passed'];
const work = [...begun, '2:agent passed'];

test.each<[string, readonly Written[], string]>([
  ['the first step comes first', [], '0:prefetch'],
  ['a step that was left running is entered again', ['0:prefetch'], '0:prefetch'],
  ['a failed prefetch stops nothing', ['0:prefetch failed'], '1:setup'],
  ['the agent follows setup', begun, '2:agent'],
  ['checks follow the agent', work, '3:check'],
  ['verify follows passed checks', [...work, '3:check passed'], '4:verify'],
  ['a failed check leads to the first repair', [...work, '3:check failed'], '2:agent#1'],
  ['the repair is checked again', [...work, '3:check failed', '2:agent#1 passed'], '3:check#1'],
  [
    'a repair that passes is verified under the step’s own key',
    [...work, '3:check failed', '2:agent#1 passed', '3:check#1 passed'],
    '4:verify',
  ],
  [
    'a failed verification uses a round that is left',
    [...work, '3:check failed', '2:agent#1 passed', '3:check#1 passed', '4:verify failed VERIFY_FAILED'],
    '2:agent#2',
  ],
  [
    'when no round is left, what there is is proposed',
    [
      ...work,
      '3:check failed',
      '2:agent#1 passed',
      '3:check#1 failed',
      '2:agent#2 passed',
      '3:check#2 failed CHECKS_FAILED',
    ],
    '5:propose',
  ],
  [
    'an agent that gave up goes straight to the draft',
    [...begun, '2:agent failed WORK_UNFINISHED'],
    '5:propose',
  ],
  [
    'so does one that gave up in its repair',
    [...work, '3:check failed', '2:agent#1 failed AGENT_STUCK'],
    '5:propose',
  ],
  [
    'a tree that could not be confirmed is nothing an agent can mend',
    [...work, '3:check passed', '4:verify failed VERIFY_TREE_MISMATCH'],
    '5:propose',
  ],
  [
    'what is older than the step before it is done again',
    [...begun, '3:check passed', '4:verify passed', '2:agent passed'],
    '3:check',
  ],
])('%s', (_name, steps, key) => {
  expect(decide(stateAfter(steps))).toMatchObject({ kind: 'step', key });
});

test.each<[string, readonly Written[], object]>([
  [
    'a failed setup',
    ['0:prefetch passed', '1:setup failed SETUP_FAILED'],
    { outcome: 'failed', code: 'SETUP_FAILED' },
  ],
  [
    'an agent without a change',
    [...begun, '2:agent failed NOTHING_CHANGED'],
    { outcome: 'needs_human', code: 'NOTHING_CHANGED' },
  ],
  [
    'a draft after an agent that gave up',
    [...begun, '2:agent failed AGENT_STUCK', '5:propose passed'],
    { outcome: 'needs_human', code: 'AGENT_STUCK' },
  ],
  [
    'a draft after failed checks',
    [...work, '3:check failed CHECKS_FAILED', '5:propose passed'],
    { outcome: 'needs_human', code: 'CHECKS_FAILED' },
  ],
  [
    'a verification that says it passed without any verdict',
    [...work, '3:check passed', '4:verify passed', '5:propose passed'],
    { outcome: 'needs_human', code: 'NOT_VERIFIED' },
  ],
  [
    'a limit that was reached before anything was changed',
    ['0:prefetch passed', '1:setup failed LIMIT_MINUTES', '5:propose skipped NOTHING_CHANGED'],
    { outcome: 'needs_human', code: 'LIMIT_MINUTES' },
  ],
  [
    'a proposal that policy refused',
    [...work, '3:check passed', '4:verify passed', '5:propose failed PROPOSAL_SECRET_FOUND'],
    { outcome: 'needs_human', code: 'PROPOSAL_SECRET_FOUND' },
  ],
])('%s ends the run', (_name, steps, end) => {
  expect(decide(stateAfter(steps, { rounds: 0 }))).toMatchObject({ kind: 'end', ...end });
});

test('without rounds a failed check is never repaired', () => {
  expect(decide(stateAfter([...work, '3:check failed'], { rounds: 0 }))).toMatchObject({ key: '5:propose' });
});

test('without an agent a failed check is never repaired', () => {
  const blueprint = { steps: ['check', 'verify', 'propose'] };
  expect(decide(stateAfter(['0:check failed'], { blueprint }))).toMatchObject({ key: '2:propose' });
});

test('a repair is marked as one, with its round', () => {
  expect(decide(stateAfter([...work, '3:check failed']))).toMatchObject({ repair: true, round: 1 });
  expect(decide(stateAfter(begun))).toMatchObject({ repair: false, round: 0 });
});

test('a request to cancel ends the run wherever it is', () => {
  const more: NewEvent[] = [{ type: 'run.cancel-requested', data: { by: 'ada' } }];
  expect(decide(stateAfter(work, { more }))).toMatchObject({
    kind: 'end',
    outcome: 'cancelled',
    code: 'RUN_CANCELLED',
  });
});
