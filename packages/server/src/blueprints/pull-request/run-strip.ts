import type { StepRecord } from '../../domain/run-state.ts';

/** Blocks of the longest step; the others in proportion, each at least one. */
const longest = 24;

/**
 * The run as a strip of blocks, one row per step: length is time, and failed, skipped and passed steps differ in
 * shade as well as in words.
 */
export function runStrip(steps: readonly StepRecord[]): string {
  const done = steps.filter((step) => step.durationMs !== null);
  const most = Math.max(1, ...done.map((step) => step.durationMs ?? 0));
  const width = Math.max(0, ...done.map((step) => label(step).length));
  return done
    .map((step) => {
      const blocks = Math.max(1, Math.round(((step.durationMs ?? 0) / most) * longest));
      const shade = step.state === 'passed' ? '█' : step.state === 'failed' ? '▒' : '░';
      return `${label(step).padEnd(width)} ${shade.repeat(blocks)} ${step.state} ${((step.durationMs ?? 0) / 1000).toFixed(1)} s`;
    })
    .join('\n');
}

function label(step: StepRecord): string {
  return step.round === 0 ? step.kind : `${step.kind} (round ${step.round})`;
}
