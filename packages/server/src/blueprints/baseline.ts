import type { Check } from '../domain/blueprint.ts';
import type { CommandResult } from '../domain/events/index.ts';
import type { CommandOutcome, RunContext } from '../domain/ports/run-context.ts';
import { concernsTask } from './concerns-task.ts';
import { extractFailure, failedBefore, type ExtractedFailure } from './failures/failure-extract.ts';
import { outputText, runPrepared, succeeded } from './prepared.ts';
import { planned, type Plan } from './steps/step.ts';

/** How a check behaves on the base commit, where no agent has acted. */
export type Baseline =
  | { readonly kind: 'passes' }
  | { readonly kind: 'fails'; readonly result: CommandResult; readonly items: readonly string[] }
  /** Not even `setup` works on the base commit: nothing can be compared. */
  | { readonly kind: 'unknown' };

/**
 * Runs a check's full command on the base commit, in a sandbox filled from it alone. Lazy: asked only once
 * something failed; durable, so once per check and run.
 */
export async function baselineOf(ctx: RunContext, plan: Plan, step: string, check: Check): Promise<Baseline> {
  const ran = await runPrepared(ctx, plan, 'baseline', {
    id: `baseline/${check.name}`,
    step,
    purpose: 'baseline',
    name: `${check.name} before the change`,
    command: check,
  });
  if ('setup' in ran) return { kind: 'unknown' };
  if (succeeded(ran.outcome.result)) return { kind: 'passes' };
  const { items } = extractFailure(await outputText(ctx, ran.outcome));
  return { kind: 'fails', result: ran.outcome.result, items };
}

/**
 * Whether a failure is the one that was there before: it ended in the same way and nothing failed that did not
 * fail then. In doubt it is new. Pure.
 */
export function isPreexisting(
  after: { readonly result: CommandResult; readonly failure: ExtractedFailure },
  before: Baseline,
): boolean {
  if (before.kind !== 'fails') return false;
  return ending(after.result) === ending(before.result) && failedBefore(after.failure.items, before.items);
}

function ending(result: CommandResult): string {
  if (result.timedOut) return 'timed out';
  if (result.outOfMemory) return 'out of memory';
  return `${result.exitCode ?? result.signal ?? 'unknown'}`;
}

export interface JudgedFailure {
  readonly verdict: 'failed' | 'preexisting';
  readonly failure: ExtractedFailure;
}

/**
 * The verdict on a command that failed. What failed before is excused only where the task is not about it.
 * @param compare false where there is nothing to compare with, because the tree is the base's own
 */
export async function judgeFailure(
  ctx: RunContext,
  plan: Plan,
  request: {
    readonly step: string;
    readonly check: Check;
    readonly outcome: CommandOutcome;
    readonly compare: boolean;
  },
): Promise<JudgedFailure> {
  const { step, check, outcome, compare } = request;
  const failure = extractFailure(await outputText(ctx, outcome));
  const { title, text } = planned(ctx).created;
  if (!compare || concernsTask(`${title}\n${text}`, failure.items)) return { verdict: 'failed', failure };
  const before = await baselineOf(ctx, plan, step, check);
  const same = isPreexisting({ result: outcome.result, failure }, before);
  return { verdict: same ? 'preexisting' : 'failed', failure };
}
