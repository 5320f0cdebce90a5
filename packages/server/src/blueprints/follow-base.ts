import { visible } from '../domain/events/index.ts';
import type { RunContext } from '../domain/ports/run-context.ts';
import type { Proposal } from './proposal.ts';
import { titleText } from './pull-request/markdown.ts';
import { readinessOf, type Objection } from './readiness.ts';
import { planned, type StepDeps } from './steps/step.ts';
import { maxRebases, type Visit } from './walker.ts';

export type BaseFollowed =
  /** The proposal is offered as it is; the objection makes it a draft. */
  | { readonly kind: 'stays'; readonly objection: Objection | null }
  /** There is a new proposal on the new base, which nobody has verified yet. */
  | { readonly kind: 'moved'; readonly to: string };

const stays: BaseFollowed = { kind: 'stays', objection: null };

/**
 * Looks where the base branch is now, and puts a verified proposal onto it. What is a draft anyhow, was pushed before or
 * approved by a person as it stands stays where it is.
 */
export async function followBase(
  ctx: RunContext,
  deps: StepDeps,
  visit: Visit,
  proposal: Proposal,
): Promise<BaseFollowed> {
  const { state, plan, created } = planned(ctx);
  const unverified = await movedUnverified(ctx);
  if (unverified !== null) return { kind: 'moved', to: unverified };
  const isApproved = state.gates.some(
    (gate) => gate.proposal?.commit === proposal.commit && gate.decision?.verdict === 'approved',
  );
  if (isApproved || state.pushed?.commit === proposal.commit || !readinessOf(state).ready) return stays;
  const { ref } = plan.base;
  const now = await deps.proposals.branchNow(ref, ctx.signal);
  if (now === null || now === proposal.base) return stays;
  if (visit.rebases >= maxRebases) {
    const sentence = `${visible(ref)} moved again, to ${short(now)}; the change is offered on ${short(proposal.base)}, where it was verified`;
    await record(ctx, { ref, from: proposal.base, to: now, result: 'left', sentence });
    return stays;
  }
  const startedAt = state.steps.find((step) => step.key === visit.key)?.startedAt;
  const answer = await deps.proposals.rebase({
    commit: proposal.commit,
    from: proposal.base,
    onto: now,
    taskId: created.taskId,
    runId: ctx.runId,
    title: titleText(created.title, 72),
    atMs: startedAt === undefined ? ctx.clock.nowMs() : Date.parse(startedAt),
    protectedPaths: plan.blueprint.protectedPaths,
    policy: plan.blueprint.policy,
    signal: ctx.signal,
  });
  const facts = { ref, from: proposal.base, to: now };
  switch (answer.kind) {
    case 'rebased': {
      const { findings, ...made } = answer.made;
      await ctx.workbench.release('verify');
      const sentence = `${visible(ref)} moved to ${short(now)}; the change was put onto it and is verified again`;
      await ctx.events.append(
        { type: 'proposal.base-moved', data: { ...facts, result: 'rebased', sentence } },
        {
          type: 'proposal.made',
          data: { ...made, base: now, branch: proposal.branch, findings: [...findings] },
        },
      );
      return { kind: 'moved', to: now };
    }
    case 'conflict':
      return draft(
        ctx,
        { ...facts, result: 'conflict' },
        `conflicts with the change in ${some(answer.paths)}`,
      );
    case 'rewritten':
      return draft(ctx, { ...facts, result: 'rewritten' }, 'does not continue the base of the change');
    case 'there':
      return draft(ctx, { ...facts, result: 'conflict' }, 'holds the same change already');
  }
}

/** Where the proposal was put by an owner that died before the step could end: nobody has verified it there. */
async function movedUnverified(ctx: RunContext): Promise<string | null> {
  const entries = await ctx.log.events({ types: ['proposal.base-moved', 'step.started'] });
  const last = entries.findLast(
    (entry) =>
      (entry.type === 'proposal.base-moved' && entry.data.result === 'rebased') ||
      (entry.type === 'step.started' && entry.data.kind !== 'propose'),
  );
  return last?.type === 'proposal.base-moved' ? last.data.to : null;
}

type Moved = { readonly ref: string; readonly from: string; readonly to: string };

async function draft(
  ctx: RunContext,
  facts: Moved & { readonly result: 'conflict' | 'rewritten' },
  why: string,
): Promise<BaseFollowed> {
  const sentence = `${visible(facts.ref)} moved to ${short(facts.to)} and ${why}; the change stands on its original base ${short(facts.from)}`;
  await record(ctx, { ...facts, sentence });
  return { kind: 'stays', objection: { code: 'BASE_MOVED', sentence } };
}

/** Once for each place the branch moved to: entered again after a crash, the step finds its own words. */
async function record(
  ctx: RunContext,
  data: Moved & { readonly result: 'conflict' | 'rewritten' | 'left'; readonly sentence: string },
): Promise<void> {
  const before = await ctx.log.events({ types: ['proposal.base-moved'] });
  const isKnown = before.some(
    (entry) =>
      entry.type === 'proposal.base-moved' && entry.data.to === data.to && entry.data.result === data.result,
  );
  if (!isKnown) await ctx.events.append({ type: 'proposal.base-moved', data });
}

function short(commit: string): string {
  return commit.slice(0, 12);
}

function some(paths: readonly string[]): string {
  const shown = paths.slice(0, 3).map((path) => visible(path));
  return paths.length > shown.length
    ? `${shown.join(', ')} and ${paths.length - shown.length} more`
    : shown.join(', ');
}
