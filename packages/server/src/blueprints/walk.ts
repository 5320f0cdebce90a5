import type { StepKind } from '../domain/blueprint.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { RunContext } from '../domain/ports/run-context.ts';
import type { RunState } from '../domain/run-state.ts';
import { openGate } from './gates.ts';
import { refusedProposal } from './proposal.ts';
import { agentStep } from './steps/agent.ts';
import { checkStep } from './steps/check.ts';
import { judgeStep } from './steps/judge.ts';
import { prefetchStep } from './steps/prefetch.ts';
import { proposeStep } from './steps/propose.ts';
import { setupStep } from './steps/setup.ts';
import type { StepDeps, StepFunction, StepOutcome, Waits } from './steps/step.ts';
import { verifyStep } from './steps/verify.ts';
import { decide, type RunEnd, type Visit } from './walker.ts';

const steps: Readonly<Record<StepKind, StepFunction>> = {
  prefetch: prefetchStep,
  setup: setupStep,
  agent: agentStep,
  check: checkStep,
  judge: judgeStep,
  verify: verifyStep,
  propose: proposeStep,
};

/**
 * Enters one step: records its beginning unless it is recorded as running already (then a worker died in it),
 * does it, and records its end. Errors go through; the step then stays open for the next owner.
 */
export async function enterStep(ctx: RunContext, deps: StepDeps, visit: Visit): Promise<StepOutcome | Waits> {
  const { key, step, round } = visit;
  const open = ctx.log.state().steps.find((one) => one.key === key && one.state === 'running');
  if (open === undefined) {
    await ctx.events.append({ type: 'step.started', data: { key, kind: step.step, round } });
  }
  const outcome = await steps[step.step](ctx, deps, visit).catch((error: unknown) => {
    const refused = ctx.signal.aborted ? null : refusedProposal(error);
    if (refused === null) throw error;
    return refused;
  });
  if (outcome.outcome === 'waits') return outcome;
  const startedAt = ctx.log.state().steps.find((one) => one.key === key)?.startedAt;
  const tookMs = startedAt === undefined ? 0 : ctx.clock.nowMs() - Date.parse(startedAt);
  const durationMs = Math.max(0, tookMs - waitedMs(ctx.log.state(), startedAt));
  await ctx.events.append({ type: 'step.ended', data: { key, kind: step.step, ...outcome, durationMs } });
  // Only after the end is recorded: entered again after a crash, the step finds its sandbox as it left it.
  if (step.step === 'verify') await ctx.workbench.release('verify');
  return outcome;
}

/** How long gates held up a step that began at `since`. */
function waitedMs({ gates }: RunState, since: string | undefined): number {
  return gates
    .filter((gate) => since !== undefined && gate.openedAt >= since && gate.decision !== null)
    .reduce((sum, gate) => sum + Date.parse(gate.decision?.at ?? '') - Date.parse(gate.openedAt), 0);
}

/**
 * Walks a planned run to its end, step by step, from wherever its log says it is.
 * @returns how the run ended; the caller records it as `run.ended`
 * @throws BerthError `GATE_*` when it waits for a person
 * @throws the signal's reason when the run is paused, cancelled, out of time or taken over
 */
export async function walk(ctx: RunContext, deps: StepDeps): Promise<RunEnd> {
  for (;;) {
    ctx.signal.throwIfAborted();
    const decision = decide(ctx.log.state());
    if (decision.kind === 'end') {
      const { outcome, code, sentence, next } = decision;
      return { outcome, code, sentence, next };
    }
    if (decision.kind === 'wait') throw new BerthError('GATE_PROPOSAL');
    if (decision.kind === 'gate') await openGate(ctx, decision.ask, null);
    else await enterStep(ctx, deps, decision);
  }
}
