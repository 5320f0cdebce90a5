import { BerthError, isErrorCode } from '../../domain/errors/index.ts';
import type { RunParent } from '../../domain/events/index.ts';
import type { RunContext } from '../../domain/ports/run-context.ts';
import type { RunState } from '../../domain/run-state.ts';
import { clip } from '../failures/clean-output.ts';
import { maxFailureBytes } from '../failures/failure-extract.ts';
import { latestByName } from '../readiness.ts';
import type { Visit } from '../walker.ts';
import { prepare } from '../prepared.ts';
import { setupError } from './setup.ts';
import { failed, passed, planned, type AgentRunner, type StepFunction } from './step.ts';

type Opening = Parameters<AgentRunner['run']>[1]['opening'];
type TaskBrief = Extract<Opening, { kind: 'task' }>['brief'];

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
  const { agent } = deps;
  const opening: Opening = visit.repair
    ? { kind: 'repair', text: repairText(state, visit) }
    : { kind: 'task', brief: await briefOf(ctx, visit) };
  const finish = await ctx.workbench.duringAgent(() => agent.run(ctx, { stepKey: visit.key, opening }));
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

async function briefOf(ctx: RunContext, visit: Visit): Promise<TaskBrief> {
  const { created } = planned(ctx);
  const fetched = (await ctx.log.events({ types: ['context.prefetched'] })).at(-1);
  const items = fetched?.type === 'context.prefetched' ? fetched.data.items : [];
  const map = items.find((item) => item.kind === 'map');
  const instructions = visit.step.step === 'agent' ? visit.step.instructions : undefined;
  return {
    task: created.text,
    items: [...handedOver(created.parent), ...items.filter((item) => item.kind !== 'map')],
    ...(instructions === undefined ? {} : { instructions }),
    ...(map === undefined ? {} : { map: map.text }),
  };
}

/** What was said and done in the run that this one was made from. It stands apart from the task: it is data. */
function handedOver(parent: RunParent | undefined): TaskBrief['items'] {
  if (parent === undefined || parent.handover === null) return [];
  const provenance = `record of run ${parent.run} up to entry ${parent.seq}; the working tree is as it was then`;
  return [{ kind: 'task', path: `run ${parent.run}`, text: parent.handover, provenance }];
}

/** Most of a repair's text: two failures in full. */
const maxRepairBytes = 2 * maxFailureBytes;

/** What led to a repair: the failing part of each check that failed last, and nothing else. Pure. */
export function repairText(state: RunState, visit: Visit): string {
  const step = state.steps.findLast(
    (one) =>
      ['check', 'verify', 'judge'].includes(one.kind) && one.state === 'failed' && one.key !== visit.key,
  );
  if (step === undefined) return 'A check failed.';
  if (step.kind === 'judge') {
    return clip(`Somebody compared the change with the task. ${step.sentence}`, maxRepairBytes);
  }
  const failures = latestByName(state.checks.filter((check) => check.step === step.key)).filter(
    (check) => check.verdict === 'failed',
  );
  // A verification that failed before its checks has no verdicts; its sentence holds the end of the output.
  if (failures.length === 0) return clip(step.sentence, maxRepairBytes);
  return clip(
    failures.map((check) => `$ ${check.command}\n${check.failure ?? ''}`).join('\n\n'),
    maxRepairBytes,
  );
}
