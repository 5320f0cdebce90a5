import { BerthError, isErrorCode } from '../../domain/errors/index.ts';
import type { Check } from '../../domain/blueprint.ts';
import type { RunState } from '../../domain/run-state.ts';
import { latestByName } from '../readiness.ts';
import type { Visit } from '../walker.ts';
import { prepare } from '../prepared.ts';
import { setupError } from './setup.ts';
import { failed, passed, planned, type Failure, type StepFunction } from './step.ts';

/**
 * Lets the agent work. In a repair round it is given the failing part of the failed checks and nothing else. What
 * the agent says about its own work decides nothing but whether checks follow.
 */
export const agentStep: StepFunction = async (ctx, deps, visit) => {
  const { plan, state } = planned(ctx);
  if (deps.agent === null) throw new BerthError('INTERNAL', 'The blueprint needs an agent and there is none');
  // A sandbox that replaced a lost one comes without what setup made.
  const isSetUp = state.steps.some((step) => step.kind === 'setup' && step.state === 'passed');
  if (isSetUp) {
    const prepared = await prepare(ctx, plan, { purpose: 'work', step: visit.key });
    if (!prepared.ok) throw setupError(prepared);
  }
  const finish = await deps.agent.run(ctx, {
    step: visit.key,
    round: visit.round,
    instructions: visit.step.step === 'agent' ? (visit.step.instructions ?? null) : null,
    failures: visit.repair ? failuresFor(state, visit) : [],
  });
  const { proposalTree } = await ctx.workbench.checkpoint();
  const unchanged = proposalTree === (await deps.proposals.treeOf(plan.base.commit, ctx.signal));
  switch (finish.result) {
    case 'done':
      return unchanged
        ? failed('NOTHING_CHANGED', 'the agent ended without changing anything')
        : passed(visit.repair ? 'the agent finished its repair' : 'the agent finished');
    case 'gave-up':
      return failed(
        codeFor(finish.code),
        `the agent gave up${unchanged ? ' without changing anything' : ''}`,
      );
    case 'stuck':
      return failed(codeFor(finish.code ?? 'AGENT_STUCK'), 'the agent repeated itself and was stopped');
    case 'limit':
      return failed(codeFor(finish.code), 'the agent reached a limit of the run and was stopped');
  }
};

function codeFor(code: string | null): ReturnType<typeof failed>['code'] & string {
  return code !== null && isErrorCode(code) ? code : 'WORK_UNFINISHED';
}

/** The failures that led to a repair: those of the last check or verify before it. Pure. */
export function failuresFor(state: RunState, visit: Visit): Failure[] {
  const step = state.steps.findLast(
    (one) =>
      (one.kind === 'check' || one.kind === 'verify') && one.state === 'failed' && one.key !== visit.key,
  );
  if (step === undefined) return [];
  const judged = latestByName(state.checks.filter((check) => check.step === step.key));
  const failures = judged
    .filter((check) => check.verdict === 'failed')
    .map((check) => ({
      name: check.name,
      kind: check.kind as Check['kind'],
      command: check.command,
      exitCode: check.exitCode,
      text: check.failure ?? '',
    }));
  if (failures.length > 0) return failures;
  // A verification that failed in its setup has no verdicts; its sentence holds the end of the output.
  return [{ name: step.kind, kind: 'build', command: 'setup', exitCode: null, text: step.sentence }];
}
