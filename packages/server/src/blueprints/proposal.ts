import type { EventData } from '../domain/events/index.ts';
import type { RunContext } from '../domain/ports/run-context.ts';
import { titleText } from './pull-request/markdown.ts';
import { planned, type StepDeps } from './steps/step.ts';

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
  const current = await currentProposal(ctx);
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
    branch: created.branch,
    message: commitMessage(created.title, created.taskId, ctx.runId),
    signal: ctx.signal,
  });
  if (made.tree === baseTree) return null;
  // What was verified before was another tree; its sandbox may not answer for this one.
  await ctx.workbench.release('verify');
  const proposal: Proposal = { ...made, base: plan.base.commit, branch: created.branch };
  await ctx.events.append({ type: 'proposal.made', data: proposal });
  return proposal;
}

/** The proposal in the log when nothing has worked on the tree since. */
async function currentProposal(ctx: RunContext): Promise<Proposal | null> {
  const entries = await ctx.log.events({ types: ['step.started', 'proposal.made'] });
  const last = entries.findLast(
    (entry) =>
      entry.type === 'proposal.made' || (entry.type === 'step.started' && working.includes(entry.data.kind)),
  );
  return last?.type === 'proposal.made' ? last.data : null;
}

/** The commit's message: the task's title as data (it closes no issue when it is merged), and which run made it. */
export function commitMessage(title: string, taskId: string, runId: string): string {
  return `${titleText(title, 72)}\n\nBerth-Task: ${taskId}\nBerth-Run: ${runId}\n`;
}
