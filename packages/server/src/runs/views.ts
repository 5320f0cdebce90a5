import { readinessOf } from '../blueprints/index.ts';
import { stepOf } from '../domain/event-facts.ts';
import { describe, type RunParent, type StoredEvent } from '../domain/events/index.ts';
import { gateView } from '../domain/gate-view.ts';
import type { PullRequest } from '../domain/ports/forge.ts';
import type { RunState } from '../domain/run-state.ts';
import { statusOf } from '../domain/run-status.ts';
import type { RunStanding } from '../limits/read-standing.ts';
import { limitViews } from './limit-views.ts';
import type { EventView, ProposalView, RunView } from '../domain/views.ts';

/** A run as the API shows it. Pure: everything comes from the fold, and from `standing` what is reserved now. */
export function runView(state: RunState, projectName: string, standing?: RunStanding): RunView {
  const { created, plan, checkpoint, proposal, pullRequest, use } = state;
  return {
    schema: 'berth.run/v1',
    id: state.runId,
    task: created?.taskId ?? '',
    title: created?.title ?? '',
    project: projectName,
    branch: created?.branch ?? '',
    attempt: created?.attempt ?? 1,
    parent: parentOf(created?.parent),
    status: statusOf(state),
    blueprint: plan === null ? null : { name: plan.blueprint.name, source: sourceText(plan.source) },
    base: plan?.base ?? null,
    models: Object.fromEntries(Object.entries(plan?.models ?? {}).map(([slot, ids]) => [slot, [...ids]])),
    simulated: plan?.simulated ?? false,
    steps: stepViews(state),
    limits: limitViews(state, standing),
    costUsd: use.costUsd,
    tokens: { in: use.inputTokens, out: use.outputTokens, cached: use.cachedTokens },
    changes: changesOf(proposal, checkpoint),
    proposal: proposal === null ? null : state.runId,
    pullRequest:
      pullRequest === null
        ? null
        : { number: pullRequest.number, url: pullRequest.url, draft: pullRequest.draft },
    gate: gateOf(state.gate, { id: state.runId, project: projectName, title: created?.title ?? '' }),
    setup: setupOf(state),
    secrets: {
      exposed: [...state.secrets.exposed],
      brokered: state.secrets.brokered.map(({ name, host }) => ({ name, host })),
    },
    seq: state.seq,
    createdAt: state.createdAt ?? new Date(0).toISOString(),
    endedAt: state.ended?.at ?? null,
  };
}

const parentOf = (parent: RunParent | undefined): RunView['parent'] =>
  parent === undefined ? null : { run: parent.run, seq: parent.seq };

/** How the sandboxes of a run came to their setup. */
export function setupOf({ snapshots, commands }: RunState): RunView['setup'] {
  const ran = new Set(
    Object.values(commands).flatMap(({ id, sandboxId }) => (id.startsWith('setup/') ? [sandboxId] : [])),
  );
  return { restored: Object.keys(snapshots.restored).length, ran: ran.size };
}

export function gateOf(
  gate: RunState['gate'],
  run: { readonly id: string; readonly project: string; readonly title: string },
): RunView['gate'] {
  return gate === null ? null : gateView(gate, { ...run, isOpen: true });
}

export function changesOf(
  proposal: RunState['proposal'],
  checkpoint: RunState['checkpoint'],
): RunView['changes'] {
  if (proposal !== null)
    return { files: proposal.files, added: proposal.added, removed: proposal.removed, tree: proposal.tree };
  if (checkpoint === null) return null;
  return {
    files: checkpoint.files,
    added: checkpoint.added,
    removed: checkpoint.removed,
    tree: checkpoint.proposalTree,
  };
}

function sourceText(source: NonNullable<RunState['plan']>['source']): string {
  switch (source.kind) {
    case 'file':
      return source.path;
    case 'repository':
      return `${source.path} at ${source.commit.slice(0, 10)}`;
    case 'configuration':
      return `the configuration, revision ${source.revision}`;
    case 'detected':
      return source.ecosystems.length === 0
        ? 'detected: nothing known'
        : `detected: ${source.ecosystems.join(', ')}`;
  }
}

/** Past and present steps, then those of the blueprint still to come. */
export function stepViews(state: RunState): RunView['steps'] {
  const walked = state.steps.map((step) => ({
    name: step.key,
    kind: step.kind,
    state: step.state,
    startedAt: step.startedAt,
    durationMs: step.durationMs,
    costUsd: step.costUsd,
    attempts: step.round + 1,
    sentence: step.sentence,
  }));
  if (state.ended !== null || state.plan === null) return walked;
  const reached = Math.max(-1, ...walked.map((step) => Number.parseInt(step.name, 10)));
  const coming = state.plan.blueprint.steps.slice(reached + 1).map((step, offset) => ({
    name: `${reached + 1 + offset}:${step.step}`,
    kind: step.step,
    state: 'pending' as const,
    startedAt: null,
    durationMs: null,
    costUsd: 0,
    attempts: 0,
    sentence: '',
  }));
  return [...walked, ...coming];
}

/** An entry of the log as the API shows it. */
export function eventView(stored: StoredEvent): EventView {
  const { title, importance } = describe(stored);
  return {
    schema: 'berth.event/v1',
    run: stored.runId,
    seq: stored.seq,
    at: stored.at,
    type: stored.type,
    step: stepOf(stored),
    importance,
    title,
    data: stored.data,
  };
}

/** The proposal of a run, or null when it made none. `pr` is what the forge says now, `cloneUrl` its `fetchUrl`. */
export function proposalView(
  state: RunState,
  projectName: string,
  pr: PullRequest | null,
  cloneUrl: string | null,
): ProposalView | null {
  const { created, plan, proposal } = state;
  if (created === null || plan === null || proposal === null) return null;
  const checks = state.checks.filter((check) => check.tree === proposal.tree);
  return {
    schema: 'berth.proposal/v1',
    id: state.runId,
    run: state.runId,
    task: created.taskId,
    project: projectName,
    repository: created.repository,
    title: created.title,
    branch: proposal.branch,
    base: plan.base,
    commit: proposal.commit,
    tree: proposal.tree,
    pushedTree: state.pushed?.commit === proposal.commit ? proposal.tree : null,
    verified: readinessOf(state).ready,
    checks: checks.map((check) => ({
      name: check.name,
      command: check.command,
      exitCode: check.exitCode,
      durationMs: check.durationMs,
      tree: check.tree,
      verdict: check.verdict,
      where: check.step.includes(':verify') ? 'verify' : 'work',
    })),
    policy: (proposal.findings ?? []).map((finding) => ({ rule: finding.code, result: finding.sentence })),
    pr:
      pr === null
        ? null
        : {
            number: pr.number,
            url: pr.url,
            state: pr.draft && pr.state === 'open' ? 'draft' : pr.state,
            mergedAs: pr.mergedAs,
            cloneUrl,
          },
    diffstat: { files: proposal.files, added: proposal.added, removed: proposal.removed },
    costUsd: state.use.costUsd,
    simulated: plan.simulated,
    createdAt: state.createdAt ?? new Date(0).toISOString(),
  };
}
