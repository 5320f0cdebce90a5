import { expect, test } from 'vitest';
import type { FiringOutcome } from '../../store/schedules/firings.ts';
import { decideFirings, failuresInRow, selfPause } from './decide.ts';

const daily = { cron: '0 3 * * *', timeZone: 'UTC', missed: 'skip', overlap: 'skip' } as const;
const at = (text: string): number => Date.parse(text);
const idle = (handled: string) => ({ handledToMs: at(handled), hasActive: false });

test('a time that has just come fires once, and not again at the next look', () => {
  const firings = decideFirings(daily, idle('2026-05-01T02:59:30Z'), at('2026-05-01T03:00:20Z'));
  expect(firings).toEqual([{ plannedMs: at('2026-05-01T03:00:00Z'), kind: 'planned', leftOut: null }]);
  expect(decideFirings(daily, idle('2026-05-01T03:00:20Z'), at('2026-05-01T03:01:20Z'))).toEqual([]);
});

test('what was missed is left out and shown, or made up for once, for the last', () => {
  const state = idle('2026-05-01T04:00:00Z');
  const now = at('2026-05-04T10:00:00Z');
  expect(decideFirings(daily, state, now)).toEqual([
    { plannedMs: at('2026-05-04T03:00:00Z'), kind: 'missed', leftOut: 'SCHEDULE_MISSED' },
  ]);
  expect(decideFirings({ ...daily, missed: 'once' }, state, now)).toEqual([
    { plannedMs: at('2026-05-04T03:00:00Z'), kind: 'missed', leftOut: null },
  ]);
});

test('nothing is made up for beside a time that has just come', () => {
  const firings = decideFirings(
    { ...daily, missed: 'once' },
    idle('2026-05-01T04:00:00Z'),
    at('2026-05-04T03:00:30Z'),
  );
  expect(firings).toEqual([{ plannedMs: at('2026-05-04T03:00:00Z'), kind: 'planned', leftOut: null }]);
});

test('a schedule of each minute fires for each minute of a late look, and for none of a long gap but the last', () => {
  const minutely = { ...daily, cron: '* * * * *', overlap: 'allow', missed: 'once' } as const;
  const late = decideFirings(minutely, idle('2026-05-01T03:00:10Z'), at('2026-05-01T03:02:10Z'));
  expect(late.map(({ kind }) => kind)).toEqual(['planned', 'planned']);
  const gap = decideFirings(minutely, idle('2026-04-01T03:00:10Z'), at('2026-05-01T03:02:10Z'));
  expect(gap).toHaveLength(3);
  expect(gap.every(({ kind }) => kind === 'planned')).toBe(true);
});

test('with an earlier run under way it is left out, unless it may overlap or replaces it', () => {
  const busy = { handledToMs: at('2026-05-01T02:59:30Z'), hasActive: true };
  const now = at('2026-05-01T03:00:20Z');
  expect(decideFirings(daily, busy, now)[0]?.leftOut).toBe('SCHEDULE_OVERLAP');
  expect(decideFirings({ ...daily, overlap: 'allow' }, busy, now)[0]?.leftOut).toBeNull();
  expect(decideFirings({ ...daily, overlap: 'replace' }, busy, now)[0]?.leftOut).toBeNull();
  const two = decideFirings(
    { ...daily, cron: '* * * * *' },
    idle('2026-05-01T03:00:10Z'),
    at('2026-05-01T03:02:10Z'),
  );
  expect(two.map(({ leftOut }) => leftOut)).toEqual([null, 'SCHEDULE_OVERLAP']);
});

const outcome = (state: FiringOutcome['state'], code: string | null = null): FiringOutcome => ({
  plannedAt: '2026-05-01T03:00:00.000Z',
  kind: 'planned',
  outcome: 'handed_in',
  taskId: 't-1',
  runId: 'r-1',
  state,
  code,
  reason: null,
  by: 'schedule:nightly',
});

test('failures in a row pause it, with their codes', () => {
  const failed = [outcome('failed', 'CHECKS_FAILED'), outcome('failed', 'CHECKS_FAILED')];
  const refused = { ...outcome(null, 'REPO_NOT_FOUND'), outcome: 'refused' as const };
  expect(selfPause([...failed, refused], 3)?.reason).toBe(
    '3 runs in a row failed: CHECKS_FAILED (2 times), REPO_NOT_FOUND.',
  );
  expect(selfPause(failed, 3)).toBeNull();
  expect(selfPause([...failed, refused], 0)).toBeNull();
  expect(selfPause([...failed, outcome('succeeded'), refused], 3)).toBeNull();
});

test('what says nothing about the task neither counts nor ends the row', () => {
  const leftOut = { ...outcome(null, 'SCHEDULE_OVERLAP'), outcome: 'left_out' as const };
  const row = [outcome('running'), outcome('failed'), leftOut, outcome('cancelled'), outcome('failed')];
  expect(failuresInRow(row)).toHaveLength(2);
  expect(failuresInRow([outcome('needs_human'), outcome('failed')])).toHaveLength(1);
});
