import { BerthError } from '../domain/errors/index.ts';
import type { EventData, StoredEvent } from '../domain/events/index.ts';
import type { RunContext } from '../domain/ports/run-context.ts';
import { titleText } from './pull-request/markdown.ts';
import { failed, planned, skipped, type StepDeps, type StepOutcome } from './steps/step.ts';

export type Proposal = EventData<'proposal.made'>;

/** Steps that may change the tree: a proposal made before the last of them is out of date. */
const working: readonly string[] = ['setup', 'agent', 'check'];

/**
 * The proposal of the work as it stands: the one already made from it, or a new one from a checkpoint taken now
 * and imported outside of the sandbox. Judge, verify and propose all ask here and so speak of the same commit.
 * @returns null when the tree is the base's own
 */
export async function ensureProposal(ctx: RunContext, deps: StepDeps): Promise<Proposal | null> {
  const { plan, created } = planned(ctx);
  const { proposal: current, workedAt } = await currentProposal(ctx);
  if (current !== null) return current;
  const { proposalTree } = await ctx.workbench.checkpoint();
  const baseTree = await deps.proposals.treeOf(plan.base.commit, ctx.signal);
  if (proposalTree === baseTree) return null;
  const checkpoint = ctx.log.state().checkpoint;
  if (checkpoint === null) throw new Error('a checkpoint was taken and is not in the log');
  const made = await deps.proposals.importProposal({
    base: plan.base.commit,
    blob: checkpoint.blob,
    tree: proposalTree,
    taskId: created.taskId,
    runId: ctx.runId,
    // As data: a title that says `fixes #12` closes nothing when the commit is merged.
    title: titleText(created.title, 72),
    atMs: workedAt,
    protectedPaths: plan.blueprint.protectedPaths,
    policy: plan.blueprint.policy,
    signal: ctx.signal,
  });
  // What was verified before was another tree; its sandbox may not answer for this one.
  await ctx.workbench.release('verify');
  const { findings, ...facts } = made;
  const proposal: Proposal = {
    ...facts,
    base: plan.base.commit,
    branch: created.branch,
    findings: [...findings],
  };
  await ctx.events.append({ type: 'proposal.made', data: proposal });
  return proposal;
}

/** The proposal in the log when nothing has worked on the tree since, and when the last work began. */
async function currentProposal(
  ctx: RunContext,
): Promise<{ readonly proposal: Proposal | null; readonly workedAt: number }> {
  const entries = await ctx.log.events({ types: ['run.planned', 'step.started', 'proposal.made'] });
  const isWork = (entry: StoredEvent): boolean =>
    entry.type === 'run.planned' || (entry.type === 'step.started' && working.includes(entry.data.kind));
  const last = entries.findLast((entry) => entry.type === 'proposal.made' || isWork(entry));
  const work = entries.findLast(isWork);
  return {
    proposal: last?.type === 'proposal.made' ? last.data : null,
    workedAt: work === undefined ? ctx.clock.nowMs() : Date.parse(work.at),
  };
}

/** A change that cannot be taken out of the sandbox at all, as the outcome of the step that needed it. */
export function refusedProposal(error: unknown): StepOutcome | null {
  if (!(error instanceof BerthError) || !error.code.startsWith('PROPOSAL_')) return null;
  return error.code.endsWith('_EMPTY')
    ? skipped('nothing was changed', 'NOTHING_CHANGED')
    : failed(error.code, error.message);
}
