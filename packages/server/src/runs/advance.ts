import { openGate, type Decision, type StepOutcome, type Visit, type Waits } from '../blueprints/index.ts';
import { asBerthError, BerthError, type ErrorCode } from '../domain/errors/index.ts';
import type { NewEvent } from '../domain/events/index.ts';
import type { RunContext } from '../domain/ports/run-context.ts';
import { sandboxPurposeSchema } from '../domain/purpose.ts';
import { type FullDisk, fullDisk } from './full-disk.ts';

/** A step whose sandbox was lost begins again in a new one; after this many losses the run ends with the code. */
const maxLossesPerStep = 3;

/** Whoever owns the run next goes on; after any other abort the next owner would meet the same, again and again. */
const goesOnLater: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'OWNERSHIP_LOST',
  'DATABASE_UNAVAILABLE',
  'WORKER_STOPPING',
  'RUN_PAUSED',
]);

/** No room for a sandbox now: the run goes back to the queue with this as its reason, and is tried again. */
const waitsForRoom: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'SANDBOX_CAPACITY',
  'SANDBOX_QUOTA',
  'SANDBOX_UNSCHEDULABLE',
  'SANDBOX_CLUSTER_UNREACHABLE',
]);

/** A sandbox that was lost, or that did not come to life through no fault of the run. */
const lossCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'SANDBOX_LOST',
  'SANDBOX_EVICTED',
  'SANDBOX_NODE_LOST',
  'SANDBOX_DELETED',
  'SANDBOX_RESTARTED',
  'SANDBOX_START_LATE',
]);

export interface AdvanceParts {
  readonly context: RunContext;
  /** The run is out of time: nothing is begun any more but keeping the work. */
  readonly outOfTime: boolean;
  /** Pins the base, chooses the blueprint and the models; appends `run.planned`. */
  plan(context: RunContext): Promise<void>;
  decide(state: ReturnType<RunContext['log']['state']>): Decision;
  /** Enters one step and records its beginning and end; safe to call again after a crash. */
  perform(context: RunContext, visit: Visit): Promise<StepOutcome | Waits>;
  /** Told of what the run waits for and only a person can mend: a full disk. */
  readonly onHeldUp?: (error: BerthError) => void;
  /** Whether the disk of the data directory has no room. */
  readonly isDiskFull?: () => Promise<boolean>;
}

/** Why this worker stopped advancing a run: it is over, its time is up, or it goes on elsewhere, later. */
export type AdvanceResult =
  | { readonly kind: 'ended' }
  /** For a person's approval: whoever owns it once that is decided goes on. */
  | { readonly kind: 'waiting' }
  /** Advance it once more, `outOfTime` and with a signal of its own, so that its work is kept. */
  | { readonly kind: 'out-of-time' }
  | { readonly kind: 'stopped'; readonly code: ErrorCode }
  /** Back to the queue: there was no room for a sandbox. */
  | { readonly kind: 'held'; readonly code: ErrorCode; readonly sentence: string };

/**
 * The way of a run: fold, decide, perform, record, again. Every line of it may be the last one of this process:
 * whoever comes next folds the same log and goes on at the same place.
 */
export async function advance(parts: AdvanceParts): Promise<AdvanceResult> {
  const { context } = parts;
  const losses = new Map<string, number>();
  const disk = fullDisk(
    context.clock,
    (error) => parts.onHeldUp?.(error),
    async () => (await parts.isDiskFull?.()) ?? false,
  );
  try {
    for (;;) {
      const state = context.log.state();
      if (state.ended !== null) return { kind: 'ended' };
      if (state.cancelRequestedBy !== null) {
        await finish(context, cancelled(state.cancelRequestedBy));
        continue;
      }
      context.signal.throwIfAborted();
      if (state.plan === null) {
        await planned(parts, disk);
        continue;
      }
      const decision = parts.decide(state);
      if (decision.kind === 'wait') return { kind: 'waiting' };
      if (decision.kind === 'gate') {
        await openGate(context, decision.ask, null);
        continue;
      }
      if (decision.kind === 'end') {
        const { outcome, code, sentence, next } = decision;
        await finish(context, { type: 'run.ended', data: { outcome, code, sentence, next } });
        continue;
      }
      await visitStep(decision, parts, { losses, disk });
    }
  } catch (error) {
    return await stopped(error, parts);
  }
}

async function planned(parts: AdvanceParts, disk: FullDisk): Promise<void> {
  const { context } = parts;
  try {
    await parts.plan(context);
  } catch (error) {
    if (!(await disk.waited(asBerthError(error), context.signal))) throw error;
  }
}

/** What the tries of a step have met so far. */
interface Trouble {
  readonly losses: Map<string, number>;
  readonly disk: FullDisk;
}

/** A step whose sandbox was lost, or that met a full disk, is entered again; any other error is how the step ended. */
async function visitStep(visit: Visit, parts: AdvanceParts, { losses, disk }: Trouble): Promise<void> {
  const { context } = parts;
  const { key, step } = visit;
  if (parts.outOfTime && step.step !== 'propose') {
    await leaveOut(visit, context);
    return;
  }
  try {
    await parts.perform(context, visit);
    disk.passed();
  } catch (error) {
    context.signal.throwIfAborted();
    const known = asBerthError(error);
    if (goesOnLater.has(known.code) || waitsForRoom.has(known.code)) throw known;
    if (await disk.waited(known, context.signal)) return;
    const lost = (losses.get(key) ?? 0) + 1;
    losses.set(key, lost);
    if (lossCodes.has(known.code) && lost <= maxLossesPerStep) return;
    const data = {
      key,
      kind: step.step,
      outcome: 'failed' as const,
      code: known.code,
      sentence: known.message,
      durationMs: 0,
    };
    await context.events.append({ type: 'step.ended', data });
  }
}

/** The step that the end of the time met, or that would be next: it ends there, and the walker goes on to propose. */
async function leaveOut(visit: Visit, context: RunContext): Promise<void> {
  const { key, step, round } = visit;
  const kind = step.step;
  const state = context.log.state();
  const running = state.steps.find((one) => one.key === key && one.state === 'running');
  const minutes = state.plan?.limits.minutes ?? 0;
  const sentence =
    running === undefined
      ? `not begun: the ${minutes} minutes of the run were over`
      : `stopped after the ${minutes} minutes of the run`;
  const durationMs =
    running === undefined ? 0 : Math.max(0, context.clock.nowMs() - Date.parse(running.startedAt));
  const end = { key, kind, outcome: 'failed' as const, code: 'LIMIT_MINUTES', sentence, durationMs };
  await context.events.append(
    ...(running === undefined ? [{ type: 'step.started' as const, data: { key, kind, round } }] : []),
    { type: 'step.ended', data: end },
  );
}

/** An abort is no failure of the run; anything else that comes here ends it, with its code. */
async function stopped(error: unknown, { context, outOfTime }: AdvanceParts): Promise<AdvanceResult> {
  const aborted = context.signal.aborted ? asBerthError(context.signal.reason) : null;
  if (aborted?.code === 'RUN_CANCELLED') {
    await finish(context, cancelled(context.log.state().cancelRequestedBy ?? 'somebody'));
    return { kind: 'ended' };
  }
  if (aborted?.code === 'LIMIT_MINUTES') {
    if (!outOfTime) return { kind: 'out-of-time' };
    await finish(context, endedBy(aborted, 'needs_human'));
    return { kind: 'ended' };
  }
  const known = aborted ?? asBerthError(error);
  if (goesOnLater.has(known.code)) return { kind: 'stopped', code: known.code };
  if (waitsForRoom.has(known.code)) return { kind: 'held', code: known.code, sentence: known.message };
  await finish(context, endedBy(known, 'failed'));
  return { kind: 'ended' };
}

/** Removes the sandboxes first: the end is the last entry of the log, and nothing of the run is left then. */
async function finish(context: RunContext, end: NewEvent): Promise<void> {
  // All at once: a cancel has two seconds, however many of them are slow to go.
  const released = await Promise.allSettled(
    sandboxPurposeSchema.options.map((purpose) => context.workbench.release(purpose)),
  );
  for (const one of released) {
    if (one.status === 'rejected' && asBerthError(one.reason).code === 'OWNERSHIP_LOST') throw one.reason;
  }
  await context.events.append(end);
}

/** How a cancelled run ends. */
export function cancelled(by: string): NewEvent {
  const { code, message, next } = new BerthError(
    'RUN_CANCELLED',
    `Cancelled by ${by}; the work so far is kept as a checkpoint.`,
  );
  return { type: 'run.ended', data: { outcome: 'cancelled', code, sentence: message, next } };
}

function endedBy(error: BerthError, outcome: 'failed' | 'needs_human'): NewEvent {
  return {
    type: 'run.ended',
    data: { outcome, code: error.code, sentence: error.message, next: error.next },
  };
}
