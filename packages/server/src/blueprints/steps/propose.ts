import { BerthError } from '../../domain/errors/index.ts';
import type { RunContext } from '../../domain/ports/run-context.ts';
import { isWaived, openGate, proposalGate, type GateAnswer } from '../gates.ts';
import { followBase } from '../follow-base.ts';
import { policyOf } from '../policy.ts';
import { ensureProposal, type Proposal } from '../proposal.ts';
import { pullRequestBody, pullRequestTitle } from '../pull-request/body.ts';
import { judgeObjection, readinessOf, type Objection } from '../readiness.ts';
import {
  failed,
  passed,
  planned,
  skipped,
  type StepDeps,
  type StepFunction,
  type StepOutcome,
} from './step.ts';

/**
 * Offers the change: policy, push as compare-and-swap, and the task's one pull request: ready only when it was
 * verified and policy is silent, otherwise a draft that says why. Both writes can be repeated after a crash.
 */
export const proposeStep: StepFunction = async (ctx, deps, visit) => {
  const proposal = await ensureProposal(ctx, deps);
  await ctx.workbench.release('verify');
  await ctx.workbench.release('baseline');
  if (proposal === null) return skipped('nothing was changed', 'NOTHING_CHANGED');
  const { plan, created } = planned(ctx);
  const policy = await policyOf(ctx, deps, plan, proposal);
  if (!created.options.propose || deps.forge === null || !policy.mayPush) {
    await deps.proposals.keep({ commit: proposal.commit, branch: proposal.branch, signal: ctx.signal });
    return refusal(policy.objections) ?? passed(`kept as branch ${proposal.branch}, not pushed`);
  }
  const followed = await followBase(ctx, deps, visit, proposal);
  if (followed.kind === 'moved') {
    return skipped(
      `the base moved to ${followed.to.slice(0, 12)}; the change is verified on it`,
      'BASE_MOVED',
    );
  }
  const gate = gateBefore(ctx, proposal, policy.objections);
  if (gate.kind === 'ask') {
    await openGate(ctx, gate, proposal);
    return { outcome: 'waits' };
  }
  if (gate.kind === 'closed') {
    await deps.proposals.keep({ commit: proposal.commit, branch: proposal.branch, signal: ctx.signal });
    return failed(gate.end.code, `${gate.end.sentence}; the work is kept as branch ${proposal.branch}`);
  }
  const waived = objectionsTo(ctx, policy.objections).filter((one) =>
    isWaived(ctx.log.state(), proposal, one),
  );
  const standing = [
    ...policy.objections.filter((one) => !waived.includes(one)),
    ...(followed.objection === null ? [] : [followed.objection]),
  ];
  const offered = await offer(ctx, deps, proposal, { standing, waived }).catch(async (error: unknown) => {
    // Somebody else moved the branch, or the code host refuses: trying again would not help, losing work neither.
    if (ctx.signal.aborted || !(error instanceof BerthError) || !error.code.startsWith('PUSH_')) throw error;
    await deps.proposals.keep({ commit: proposal.commit, branch: proposal.branch, signal: ctx.signal });
    return failed(error.code, error.message);
  });
  if ('outcome' in offered) return offered;
  const { draft, number } = offered;
  return refusal(standing) ?? passed(`${draft ? 'draft pull request' : 'pull request'} #${number}`);
};

/** What a person has to say before the push. */
function gateBefore(ctx: RunContext, proposal: Proposal, policy: readonly Objection[]): GateAnswer {
  return proposalGate(ctx.log.state(), proposal, objectionsTo(ctx, policy));
}

/** What can be waived: what judge and policy object. What is not verified stays so. */
function objectionsTo(ctx: RunContext, policy: readonly Objection[]): readonly Objection[] {
  const judge = judgeObjection(ctx.log.state());
  return judge?.code === 'JUDGE_OBJECTED' || judge?.code === 'JUDGE_SILENT' ? [judge, ...policy] : policy;
}

async function offer(
  ctx: RunContext,
  deps: StepDeps,
  proposal: Proposal,
  { standing, waived }: { readonly standing: readonly Objection[]; readonly waived: readonly Objection[] },
): Promise<{ readonly draft: boolean; readonly number: number }> {
  const { plan, created, state } = planned(ctx);
  const readiness = readinessOf(state);
  const objections = readiness.ready ? standing : [readiness, ...standing];
  const draft = objections.length > 0;
  if (state.pushed?.commit !== proposal.commit) {
    await deps.proposals.push({
      commit: proposal.commit,
      branch: proposal.branch,
      expected: await lastPushed(ctx),
      signal: ctx.signal,
    });
    await ctx.events.append({
      type: 'proposal.pushed',
      data: { branch: proposal.branch, commit: proposal.commit },
    });
  }
  const files = await deps.proposals.changedFiles({
    base: proposal.base,
    commit: proposal.commit,
    signal: ctx.signal,
  });
  if (deps.forge === null) throw new Error('a proposal is only offered where there is a forge');
  const pull = await deps.forge.openPullRequest({
    key: created.taskId,
    title: pullRequestTitle(created),
    body: pullRequestBody({
      state: ctx.log.state(),
      plan,
      created,
      files,
      fetchUrl: deps.forge.fetchUrl,
      objections,
      waived,
      runUrl: deps.offer.runUrl,
      template: await deps.proposals.template(proposal.base, ctx.signal),
    }),
    branch: proposal.branch,
    base: plan.base.ref,
    draft,
    ...(deps.offer.labels.length === 0 ? {} : { labels: deps.offer.labels }),
    ...(deps.offer.reviewers.length === 0 ? {} : { reviewers: deps.offer.reviewers }),
  });
  const known = ctx.log.state().pullRequest;
  if (known?.number !== pull.number || known.head !== proposal.commit || known.draft !== draft) {
    await ctx.events.append({
      type: 'proposal.opened',
      data: { number: pull.number, url: pull.url, draft, head: proposal.commit },
    });
  }
  return { draft, number: pull.number };
}

/** Where this run, or an earlier one of its task, left the branch; null when none ever pushed. */
async function lastPushed(ctx: RunContext): Promise<string | null> {
  const last = (await ctx.log.events({ types: ['proposal.pushed'] })).at(-1);
  if (last?.type === 'proposal.pushed') return last.data.commit;
  return planned(ctx).created.parent?.pushed ?? null;
}

/** A refusal of policy is the step's failure, whatever became of the draft. */
function refusal(objections: readonly Objection[]): StepOutcome | null {
  const worst = objections[0];
  return worst === undefined ? null : failed(worst.code, worst.sentence);
}
