import { clipBytes } from '../domain/clip.ts';
import type { Outline, RunStateView } from '../domain/run-views.ts';
import type { Status } from '../domain/status.ts';
import { statusOf } from '../domain/run-status.ts';
import type { ViewState } from '../domain/view-state.ts';
import { limitViews } from './limit-views.ts';
import { changesOf, stepViews } from './views.ts';

/** Steps of an outline at most; a blueprint with more shows its first ones. */
const maxSteps = 35;

/**
 * The outline of a run, at most 20 kB. Pure.
 * @param status what the run's row says, when it is the newest entry: only the row knows why a run waits
 */
export function outlineOf(view: ViewState, status: Status = statusOf(view.run)): Outline {
  const { run, strip } = view;
  const steps = stepViews(run).slice(0, maxSteps);
  const places = new Map(steps.map((step, place) => [step.name, place]));
  return {
    schema: 'berth.outline/v1',
    run: run.runId,
    seq: run.seq,
    status,
    steps: steps.map((step) => {
      const tally = Object.hasOwn(view.steps, step.name) ? view.steps[step.name] : undefined;
      return {
        ...step,
        costUsd: Math.round(step.costUsd * 10_000) / 10_000,
        sentence: clipBytes(step.sentence, 100),
        fromSeq: tally?.fromSeq ?? null,
        turns: tally?.turns ?? 0,
        calls: tally?.calls ?? 0,
        failures: tally?.failures ?? 0,
      };
    }),
    turns: view.turns,
    olderTurns: view.olderTurns,
    counts: view.counts,
    marks: view.marks,
    strip: {
      cellMs: strip.cellMs,
      cells: strip.cells.map(({ step }) => cellOf(step === null ? undefined : places.get(step))).join(''),
      seqs: strip.cells.map((cell) => cell.fromSeq),
    },
    costUsd: run.use.costUsd,
  };
}

function cellOf(place: number | undefined): string {
  return place === undefined ? '.' : place.toString(36);
}

/** How a run stood after an entry. Pure. */
export function stateView(view: ViewState, head: number, status?: Status): RunStateView {
  const { run } = view;
  const outline = outlineOf(view, status);
  return {
    schema: 'berth.state/v1',
    run: run.runId,
    seq: run.seq,
    head,
    at: run.lastEventAt,
    status: outline.status,
    outline,
    limits: limitViews(run),
    changes: changesOf(run.proposal, run.checkpoint),
    checkpointSeq: view.checkpointSeq,
    network: view.network,
    context: { items: view.items, condensations: view.condensations, messages: view.messages },
  };
}
