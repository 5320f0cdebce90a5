import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { blueprintSchema } from '../domain/blueprint.ts';
import type { NewEvent, StoredEvent } from '../domain/events/index.ts';
import { defaultRunLimits } from '../domain/limits.ts';
import { foldAll, type RunState } from '../domain/run-state.ts';
import { runOptionsSchema } from '../domain/task.ts';
import { eventViewSchema, proposalViewSchema, runViewSchema } from '../domain/views.ts';
import { anyLog } from '../testing/any-event.ts';
import { eventView, proposalView, runView } from './views.ts';

const created: NewEvent = {
  type: 'run.created',
  data: {
    taskId: 't-1',
    projectId: 'p-1',
    repository: '/srv/sample',
    title: 'Mend the date',
    text: 'Mend the date',
    branch: 'berth/mend-the-date-abc',
    attempt: 1,
    options: runOptionsSchema.parse({}),
  },
};
const plannedWith = (source: Extract<NewEvent, { type: 'run.planned' }>['data']['source']): NewEvent => ({
  type: 'run.planned',
  data: {
    base: { ref: 'main', commit: 'c'.repeat(40) },
    blueprint: blueprintSchema.parse({
      version: 1,
      name: 'node',
      steps: ['setup', 'agent', 'verify', 'propose'],
      checks: [{ name: 'unit', kind: 'test', run: 'npm test' }],
    }),
    source,
    limits: defaultRunLimits,
    models: { primary: ['a/b'] },
    simulated: true,
  },
});
const planned = plannedWith({ kind: 'detected', ecosystems: ['npm'] });
const began = (key: string): NewEvent => ({
  type: 'step.started',
  data: { key, kind: key.split(/[:#]/)[1]!, round: 0 },
});
const passed = (key: string): NewEvent => ({
  type: 'step.ended',
  data: { key, kind: key.split(/[:#]/)[1]!, outcome: 'passed', code: null, sentence: 'fine', durationMs: 5 },
});
const proposed = (tree: string): NewEvent => ({
  type: 'proposal.made',
  data: { commit: `c-${tree}`, tree, base: 'c'.repeat(40), branch: 'b', files: 2, added: 5, removed: 1 },
});
const judged = (tree: string, verdict: 'passed' | 'failed' | 'preexisting'): NewEvent => ({
  type: 'check.judged',
  data: {
    step: '2:verify',
    name: 'unit',
    kind: 'test',
    commandId: 'x',
    command: 'npm test',
    exitCode: verdict === 'passed' ? 0 : 1,
    durationMs: 1,
    tree,
    verdict,
    failure: null,
  },
});

const at = '2026-01-01T00:00:00.000Z';
const stateOf = (...events: readonly NewEvent[]): RunState =>
  foldAll(
    'r-1',
    events.map((event, place): StoredEvent => ({ ...event, runId: 'r-1', seq: place + 1, at })),
  );

test('a run shows the steps that were walked and then those to come', () => {
  const view = runView(
    stateOf(created, planned, began('0:setup'), passed('0:setup'), began('1:agent')),
    'sample',
  );
  expect(view.steps.map((step) => `${step.name} ${step.state}`)).toEqual([
    '0:setup passed',
    '1:agent running',
    '2:verify pending',
    '3:propose pending',
  ]);
  expect(runViewSchema.parse(view)).toEqual(view);
});

test('a run that is over shows no steps to come', () => {
  const ended: NewEvent = {
    type: 'run.ended',
    data: { outcome: 'failed', code: 'SETUP_FAILED', sentence: 'No.', next: null },
  };
  const view = runView(stateOf(created, planned, began('0:setup'), ended), 'sample');
  expect(view.steps.map((step) => step.name)).toEqual(['0:setup']);
  expect(view.endedAt).toBe(at);
});

test.each([
  [{ kind: 'file', path: 'own.yaml' } as const, 'own.yaml'],
  [
    { kind: 'repository', path: '.berth/blueprint.yaml', commit: 'd'.repeat(40) } as const,
    '.berth/blueprint.yaml at dddddddddd',
  ],
  [{ kind: 'detected', ecosystems: ['npm', 'make'] } as const, 'detected: npm, make'],
  [{ kind: 'detected', ecosystems: [] } as const, 'detected: nothing known'],
])('a run says where its blueprint came from: %j', (source, text) => {
  expect(runView(stateOf(created, plannedWith({ ...source } as never)), 's').blueprint?.source).toBe(text);
});

test('limits show what was used of what is allowed', () => {
  const answered: NewEvent = {
    type: 'model.answered',
    data: {
      callId: 'c1',
      step: '1:agent',
      model: 'a/b',
      parts: [],
      finish: 'stop',
      usage: {
        inputTokens: 70,
        cachedInputTokens: 10,
        cacheWriteTokens: 0,
        outputTokens: 30,
        reasoningTokens: 0,
      },
      costUsd: 0.5,
      durationMs: 1,
    },
  };
  const { limits, tokens, costUsd } = runView(stateOf(created, planned, began('1:agent'), answered), 's');
  expect(limits.map(({ name, used, cap }) => [name, used, cap])).toEqual([
    ['cost', 0.5, defaultRunLimits.costUsd],
    ['tokens', 100, defaultRunLimits.tokens],
    ['steps', 1, defaultRunLimits.steps],
    ['minutes', 0, defaultRunLimits.minutes],
    ['rounds', 0, defaultRunLimits.rounds],
  ]);
  expect({ tokens, costUsd }).toEqual({ tokens: { in: 70, out: 30, cached: 10 }, costUsd: 0.5 });
});

const verification = [created, planned, proposed('t1'), began('2:verify')];
test.each([
  ['every check passed on its tree', [...verification, judged('t1', 'passed'), passed('2:verify')], true],
  [
    'a check failed as it had before',
    [...verification, judged('t1', 'preexisting'), passed('2:verify')],
    true,
  ],
  ['no check is known', [...verification, passed('2:verify')], false],
  ['the verification is not over', [...verification, judged('t1', 'passed')], false],
  ['it was another tree', [...verification, judged('t0', 'passed'), passed('2:verify')], false],
  [
    'another proposal came after it',
    [...verification, judged('t1', 'passed'), passed('2:verify'), proposed('t2')],
    false,
  ],
  ['there was none', [created, planned, proposed('t1')], false],
])('a proposal is shown as verified or not: %s', (_name, events, verified) => {
  const view = proposalView(stateOf(...events), 'sample', null, null);
  expect(view?.verified).toBe(verified);
  expect(proposalViewSchema.parse(view)).toEqual(view);
});

test('a pull request is shown as its forge has it, a draft only while it is open', () => {
  const pr = {
    number: 7,
    url: 'u',
    title: '',
    body: '',
    branch: 'b',
    base: 'main',
    head: 'h',
    createdAt: at,
  };
  const state = stateOf(...verification);
  const shown = (draft: boolean, how: 'open' | 'merged' | 'closed') =>
    proposalView(state, 's', { ...pr, draft, state: how, mergedAs: null }, null)?.pr?.state;
  expect([shown(true, 'open'), shown(false, 'open'), shown(true, 'closed'), shown(false, 'merged')]).toEqual([
    'draft',
    'open',
    'closed',
    'merged',
  ]);
  expect(proposalView(stateOf(created, planned), 's', null, null)).toBeNull();
});

test('any log can be shown: runs and events keep the agreed shape, and titles hold no control characters', () => {
  fc.assert(
    fc.property(anyLog, (log) => {
      const view = runView(foldAll('r-1', log), 'sample');
      expect(runViewSchema.parse(view)).toEqual(view);
      for (const entry of log) {
        const shown = eventView(entry);
        expect(eventViewSchema.parse(shown)).toEqual(shown);
        expect(/\p{Cc}/u.test(shown.title)).toBe(false);
      }
    }),
  );
});
