import { expect, test } from 'vitest';
import type { BerthError } from '../domain/errors/index.ts';
import { defaultRunLimits } from '../domain/limits.ts';
import { emptyRunState, type RunState } from '../domain/run-state.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { limitMinutes, limitWrapUp } from './time-limit.ts';

function stateWith(minutes: number | null, activeMs: number): RunState {
  const state = emptyRunState('r-1');
  const plan =
    minutes === null
      ? null
      : {
          base: { ref: 'main', commit: 'a'.repeat(40) },
          blueprint: {
            version: 1 as const,
            name: 'x',
            setup: [],
            checks: [],
            steps: [],
            limits: {},
            protectedPaths: [],
          },
          source: { kind: 'detected' as const, ecosystems: [] },
          limits: { ...defaultRunLimits, minutes },
          models: {},
          simulated: false,
        };
  return { ...state, plan, use: { ...state.use, activeMs } };
}

function watched(initial: RunState): {
  clock: ManualClock;
  reasons: BerthError[];
  set: (state: RunState) => void;
  end: () => void;
} {
  const clock = new ManualClock();
  const reasons: BerthError[] = [];
  let state = initial;
  const log = { state: () => state, events: () => Promise.resolve([]) };
  const end = limitMinutes(log, clock, (reason) => reasons.push(reason));
  return {
    clock,
    reasons,
    end,
    set: (next) => {
      state = next;
    },
  };
}

test('stops a run at the end of its minutes, not before, and once', async () => {
  const { clock, reasons } = watched(stateWith(10, 0));
  await clock.advance(9 * 60_000 + 59_000);
  expect(reasons).toEqual([]);
  await clock.advance(1_000);
  await clock.advance(600_000);
  expect(reasons.map((reason) => reason.code)).toEqual(['LIMIT_MINUTES']);
});

test('counts what the run had used before this worker owned it', async () => {
  const { clock, reasons } = watched(stateWith(10, 9 * 60_000));
  await clock.advance(59_000);
  expect(reasons).toEqual([]);
  await clock.advance(1_000);
  expect(reasons).toHaveLength(1);
});

test('a run that is over its minutes already is stopped at once', async () => {
  const { clock, reasons } = watched(stateWith(10, 11 * 60_000));
  await clock.advance(0);
  expect(reasons).toHaveLength(1);
});

test('a run that is planned later is held to its limit from its beginning on', async () => {
  const { clock, reasons, set } = watched(stateWith(null, 0));
  await clock.advance(2_000);
  set(stateWith(0.05, 0));
  await clock.advance(900);
  expect(reasons).toEqual([]);
  await clock.advance(300);
  expect(reasons).toHaveLength(1);
});

test('a watch that was ended says nothing any more', async () => {
  const { clock, reasons, end } = watched(stateWith(1, 0));
  end();
  await clock.advance(3_600_000);
  expect(reasons).toEqual([]);
});

test('keeping the work has two minutes of its own', async () => {
  const clock = new ManualClock();
  const reasons: BerthError[] = [];
  limitWrapUp(clock, (reason) => reasons.push(reason));
  await clock.advance(119_000);
  expect(reasons).toEqual([]);
  await clock.advance(1_000);
  expect(reasons.map((reason) => reason.code)).toEqual(['LIMIT_MINUTES']);
});
