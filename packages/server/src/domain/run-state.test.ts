import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyLog } from '../testing/any-event.ts';
import type { NewEvent, StoredEvent } from './events/index.ts';
import { emptyRunState, fold, foldAll, type RunState } from './run-state.ts';

test('a log folded in two parts, with the state written down in between, is the whole log folded', () => {
  fc.assert(
    fc.property(anyLog, fc.nat(), (log, cut) => {
      const place = log.length === 0 ? 0 : cut % log.length;
      const half = foldAll('r-1', log.slice(0, place));
      const written = JSON.parse(JSON.stringify(half)) as RunState;
      expect(log.slice(place).reduce(fold, written)).toEqual(foldAll('r-1', log));
    }),
  );
});

test('in any log, use only grows, ended runs have nothing open, and steps have one record each', () => {
  fc.assert(
    fc.property(anyLog, (log) => {
      let before = emptyRunState('r-1');
      for (const entry of log) {
        const after = fold(before, entry);
        expect(after.seq).toBe(entry.seq);
        for (const name of ['costUsd', 'inputTokens', 'outputTokens', 'modelCalls', 'activeMs'] as const)
          expect(after.use[name]).toBeGreaterThanOrEqual(before.use[name]);
        if (entry.type === 'run.ended') expect(after.open).toEqual([]);
        const keys = after.steps.map((step) => step.key);
        expect(new Set(keys).size).toBe(keys.length);
        before = after;
      }
    }),
  );
});

const start = Date.parse('2026-01-01T00:00:00Z');
function logOf(...entries: readonly (readonly [number, NewEvent])[]): StoredEvent[] {
  return entries.map(([seconds, event], place): StoredEvent => {
    return { ...event, runId: 'r-1', seq: place + 1, at: new Date(start + seconds * 1000).toISOString() };
  });
}
const owned: NewEvent = { type: 'run.owned', data: { worker: 'w', epoch: 1 } };
const paused: NewEvent = { type: 'run.paused', data: { by: 'ann', reason: 'lunch' } };
const resumed: NewEvent = { type: 'run.resumed', data: { by: 'ann', limits: { steps: 9 } } };
const began = (key: string): NewEvent => ({
  type: 'step.started',
  data: { key, kind: key.split(':')[1]!, round: 0 },
});
const endedStep = (key: string, outcome: 'passed' | 'failed', code: string | null = null): NewEvent => ({
  type: 'step.ended',
  data: { key, kind: key.split(':')[1]!, outcome, code, sentence: '', durationMs: 1 },
});
const endedRun: NewEvent = {
  type: 'run.ended',
  data: { outcome: 'needs_human', code: 'LIMIT_STEPS', sentence: '', next: null },
};

test('minutes count neither pauses, nor waiting for an owner, nor clocks that jump back', () => {
  const state = foldAll(
    'r-1',
    logOf(
      [0, owned],
      [10, began('1:setup')],
      [20, paused],
      [500, resumed],
      [510, endedStep('1:setup', 'passed')],
      // The worker died, and another one came an hour later.
      [4_110, owned],
      [4_115, began('2:agent')],
      [3_000, endedStep('2:agent', 'passed')],
    ),
  );
  expect(state.use.activeMs).toBe((10 + 10 + 10 + 5) * 1000);
});

test('resumed after an end, it does everything again from the first step that did not pass', () => {
  const log = logOf(
    [0, owned],
    [1, began('1:setup')],
    [2, endedStep('1:setup', 'passed')],
    [3, began('2:agent')],
    [4, endedStep('2:agent', 'failed', 'LIMIT_STEPS')],
    [5, began('5:propose')],
    [6, endedStep('5:propose', 'passed')],
    [7, endedRun],
    [8, resumed],
  );
  const state = foldAll('r-1', log);
  expect(state.ended).toBeNull();
  expect(state.steps.map((step) => step.key)).toEqual(['1:setup']);
  const onlyPaused = foldAll('r-1', logOf([0, owned], [1, began('2:agent')], [2, paused], [3, resumed]));
  expect(onlyPaused.steps.map((step) => [step.key, step.state])).toEqual([['2:agent', 'running']]);
});

test('a cancel ends a pause: the run has to move once more to end', () => {
  const cancel: NewEvent = { type: 'run.cancel-requested', data: { by: 'ann' } };
  const state = foldAll('r-1', logOf([0, owned], [1, began('2:agent')], [2, paused], [3, cancel]));
  expect([state.paused, state.cancelRequestedBy]).toEqual([null, 'ann']);
});
