import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyLog } from '../testing/any-event.ts';
import { outlineOf, stateView } from './outline.ts';
import { limitViews } from './limit-views.ts';
import { stepViews } from './views.ts';
import { summaryOf } from '../domain/event-facts.ts';
import { foldAll } from '../domain/run-state.ts';
import { statusOf } from '../domain/run-status.ts';
import { emptyViewState, foldView } from '../domain/view-state.ts';

test('a view says of a run what the fold of its log says, however the log is cut into batches', () => {
  fc.assert(
    fc.property(anyLog, fc.integer({ min: 1, max: 9 }), (log, size) => {
      let view = emptyViewState('r-1');
      for (let at = 0; at < log.length; at += size) view = foldView(view, log.slice(at, at + size));
      expect(view).toEqual(foldView(emptyViewState('r-1'), log));
      const state = foldAll('r-1', log);
      expect(statusOf(view.run)).toEqual(statusOf(state));
      expect(limitViews(view.run)).toEqual(limitViews(state));
      expect(stepViews(view.run)).toEqual(stepViews(state));
      expect(view.counts.events).toBe(log.length);
    }),
  );
});

test('a view that went through JSON goes on as if it had not', () => {
  fc.assert(
    fc.property(anyLog, anyLog, (before, after) => {
      const view = foldView(emptyViewState('r-1'), before);
      const again = JSON.parse(JSON.stringify(view)) as typeof view;
      const later = after.map((event) => ({ ...event, seq: event.seq + before.length }));
      expect(foldView(again, later)).toEqual(foldView(view, later));
    }),
  );
});

test('outlines stay within their bound, and summaries within theirs, whatever the log', () => {
  fc.assert(
    fc.property(anyLog, (log) => {
      const view = foldView(emptyViewState('r-1'), log);
      const outline = outlineOf(view);
      expect(outline.strip.cells.length).toBeLessThanOrEqual(400);
      expect(outline.strip.seqs).toHaveLength(outline.strip.cells.length);
      expect(Buffer.byteLength(JSON.stringify(outline))).toBeLessThanOrEqual(20 * 1_024);
      expect(stateView(view, log.length).seq).toBe(log.length);
      for (const event of log) {
        expect(Buffer.byteLength(JSON.stringify(summaryOf(event)))).toBeLessThanOrEqual(300);
      }
    }),
  );
});

test('a step takes its share of the strip, and a long wait is cut short', () => {
  const at = (ms: number): string => new Date(Date.parse('2026-01-01T00:00:00Z') + ms).toISOString();
  const step = (key: string, kind: string) => ({ key, kind, round: 0 });
  const view = foldView(emptyViewState('r-1'), [
    { runId: 'r-1', seq: 1, at: at(0), type: 'step.started', data: step('0:setup', 'setup') },
    {
      runId: 'r-1',
      seq: 2,
      at: at(10_000),
      type: 'step.ended',
      data: { ...step('0:setup', 'setup'), outcome: 'passed', code: null, sentence: '', durationMs: 1 },
    },
    { runId: 'r-1', seq: 3, at: at(10_000), type: 'step.started', data: step('1:agent', 'agent') },
    {
      runId: 'r-1',
      seq: 4,
      at: at(10_000 + 3_600_000),
      type: 'run.cancel-requested',
      data: { by: 'anna' },
    },
  ]);
  const { strip, steps } = outlineOf(view);
  const cells = strip.cells.split('').map((cell) => steps[Number.parseInt(cell, 36)]?.kind);
  expect(cells.filter((kind) => kind === 'agent').length).toBe((30_000 / strip.cellMs) | 0);
  expect(cells.filter((kind) => kind === 'setup').length).toBe(10_000 / strip.cellMs);
});
