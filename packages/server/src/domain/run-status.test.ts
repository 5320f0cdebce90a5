import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyLog } from '../testing/any-event.ts';
import { emptyRunState, foldAll, type RunState, type StepRecord } from './run-state.ts';
import { isEnded, statusOf } from './run-status.ts';
import { statusSchema } from './status.ts';

const at = '2026-01-01T00:00:00.000Z';
const base: RunState = { ...emptyRunState('r-1'), createdAt: at, lastEventAt: at };
const step = (kind: string, more: Partial<StepRecord> = {}): StepRecord => ({
  key: `2:${kind}`,
  kind,
  round: 0,
  state: 'running',
  code: null,
  sentence: '',
  startedAt: at,
  durationMs: null,
  costUsd: 0,
  ...more,
});
const plan = { limits: { rounds: 2 } } as RunState['plan'];
const ended = {
  outcome: 'needs_human' as const,
  code: 'LIMIT_COST',
  sentence: 'Enough.',
  next: 'Raise it.',
  at,
};

test.each<readonly [string, RunState, object]>([
  ['a new run', base, { state: 'queued', reason: 'Waits for a worker' }],
  ['a planned run', { ...base, plan }, { state: 'running', reason: 'Starting' }],
  ['a step', { ...base, steps: [step('check')] }, { state: 'running', step: 'check', reason: 'check' }],
  [
    'a model call',
    { ...base, steps: [step('agent')], open: [{ kind: 'model', id: 'c1', title: 'a/b', at }] },
    { reason: 'agent: model call open (a/b)' },
  ],
  [
    'a tool call',
    { ...base, steps: [step('agent')], open: [{ kind: 'tool', id: 't1', title: 'bash', at }] },
    { reason: 'agent: bash' },
  ],
  [
    'a command in a repair round',
    {
      ...base,
      plan,
      steps: [step('check', { key: '3:check#1', round: 1 })],
      commands: { x: { id: '3:check#1/lint', sandboxId: 's', step: '3:check#1', end: null } },
    },
    { reason: 'check: lint runs, round 1', round: { n: 1, of: 2 } },
  ],
  [
    'between two steps',
    { ...base, steps: [step('setup', { state: 'passed' })] },
    { reason: 'Between two steps', step: null },
  ],
  [
    'a cancel under way',
    { ...base, steps: [step('agent')], cancelRequestedBy: 'ann' },
    { state: 'running', reason: 'Stopping, cancelled by ann' },
  ],
  [
    'a pause',
    { ...base, steps: [step('agent')], paused: { by: 'ann', reason: 'lunch', at } },
    { state: 'paused', reason: 'lunch', next: 'berth resume r-1', step: 'agent' },
  ],
  [
    'an end',
    { ...base, ended },
    { state: 'needs_human', code: 'LIMIT_COST', reason: 'Enough.', next: 'Raise it.' },
  ],
  [
    'an end that came during a pause',
    { ...base, ended, paused: { by: 'ann', reason: 'lunch', at } },
    { state: 'needs_human' },
  ],
])('says it of %s', (_name, state, status) => {
  expect(statusOf(state)).toMatchObject(status);
});

test('a run that waits says for what, and where it stands', () => {
  const queue = { code: 'CAP_REACHED', sentence: 'Eight runs are under way', position: 3, etaSec: null };
  expect(statusOf({ ...base, plan }, queue)).toMatchObject({
    state: 'queued',
    code: 'CAP_REACHED',
    reason: 'Eight runs are under way',
    queue: { position: 3, etaSec: null },
  });
});

test('any log has a status of the agreed shape, and claims an end only when there is one', () => {
  fc.assert(
    fc.property(anyLog, (log) => {
      const state = foldAll('r-1', log);
      const status = statusOf(state);
      expect(statusSchema.parse(status)).toEqual(status);
      expect(isEnded(status.state)).toBe(state.ended !== null);
      if (state.ended === null)
        expect(status.state === 'paused').toBe(state.paused !== null || state.gate !== null);
    }),
  );
});
