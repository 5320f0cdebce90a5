import { statusOf } from '../domain/run-status.ts';
import type { RunState } from '../domain/run-state.ts';
import { describe, type StoredEvent } from '../domain/events/index.ts';
import { gateView } from '../domain/gate-view.ts';
import type { EventView, ProposalView, RunView } from '../domain/views.ts';
import { defaultRunLimits } from '../domain/limits.ts';

/** A run as the API shows it, from its fold; the fake's own projection. */
export function viewOf(state: RunState, project: string): RunView {
  const { created, plan, use } = state;
  const caps = plan?.limits ?? defaultRunLimits;
  const past = state.steps.map((step) => ({
    name: step.round === 0 ? step.kind : `${step.kind}, round ${step.round}`,
    kind: step.kind,
    state: step.state,
    startedAt: step.startedAt,
    durationMs: step.durationMs,
    costUsd: step.costUsd,
    attempts: 1,
    sentence: step.sentence,
  }));
  const seen = new Set(past.map((step) => step.kind));
  const toCome = (plan?.blueprint.steps ?? [])
    .filter((step) => !seen.has(step.step))
    .map((step) => ({
      name: step.step,
      kind: step.step,
      state: 'pending' as const,
      startedAt: null,
      durationMs: null,
      costUsd: 0,
      attempts: 0,
      sentence: '',
    }));
  const limit = (name: RunView['limits'][number]['name'], used: number, cap: number) => ({
    name,
    used,
    reserved: 0,
    cap,
    owner: 'run' as const,
    per: null,
    until: null,
  });
  return {
    schema: 'berth.run/v1',
    id: state.runId,
    task: created?.taskId ?? '',
    title: created?.title ?? '',
    project,
    branch: created?.branch ?? '',
    attempt: created?.attempt ?? 1,
    parent: created?.parent === undefined ? null : { run: created.parent.run, seq: created.parent.seq },
    status: statusOf(state),
    blueprint: plan === null ? null : { name: plan.blueprint.name, source: 'detected: node/npm' },
    base: plan?.base ?? null,
    models: Object.fromEntries(Object.entries(plan?.models ?? {}).map(([slot, list]) => [slot, [...list]])),
    simulated: plan?.simulated ?? false,
    setup: { restored: 0, ran: 0 },
    secrets: {
      exposed: [...state.secrets.exposed],
      brokered: state.secrets.brokered.map(({ name, host }) => ({ name, host })),
    },
    steps: [...past, ...toCome],
    limits: [
      limit('cost', use.costUsd, caps.costUsd),
      limit('tokens', use.inputTokens + use.outputTokens, caps.tokens),
      limit('steps', use.modelCalls, caps.steps),
      limit('minutes', use.activeMs / 60_000, caps.minutes),
      limit('rounds', Math.max(0, ...state.steps.map((step) => step.round)), caps.rounds),
    ],
    costUsd: use.costUsd,
    tokens: { in: use.inputTokens, out: use.outputTokens, cached: use.cachedTokens },
    changes: state.proposal === null ? null : { files: 2, added: 7, removed: 1, tree: state.proposal.tree },
    proposal: state.proposal === null ? null : state.runId,
    pullRequest:
      state.pullRequest === null
        ? null
        : {
            number: state.pullRequest.number,
            url: state.pullRequest.url,
            draft: state.pullRequest.draft,
          },
    gate:
      state.gate === null
        ? null
        : gateView(state.gate, { id: state.runId, project, title: created?.title ?? '', isOpen: true }),
    seq: state.seq,
    createdAt: state.createdAt ?? new Date(0).toISOString(),
    endedAt: state.ended?.at ?? null,
  };
}

/** The proposal of a run whose fold holds one. */
export function proposalViewOf(
  state: RunState,
  project: string,
  decided: 'merged' | 'closed' | null,
): ProposalView {
  const made = state.proposal;
  if (made === null) throw new Error('this run has no proposal');
  return {
    schema: 'berth.proposal/v1',
    id: state.runId,
    run: state.runId,
    task: state.created?.taskId ?? '',
    project,
    repository: state.created?.repository ?? '',
    title: state.created?.title ?? '',
    branch: made.branch,
    base: state.plan?.base ?? { ref: 'main', commit: made.base },
    commit: made.commit,
    tree: made.tree,
    pushedTree: state.pushed === null ? null : made.tree,
    verified: state.pullRequest !== null,
    checks: state.checks
      .filter((check) => check.tree === made.tree)
      .map((check) => ({
        name: check.name,
        command: check.command,
        exitCode: check.exitCode,
        durationMs: check.durationMs,
        tree: check.tree,
        verdict: check.verdict,
        where: check.step.includes('verify') ? ('verify' as const) : ('work' as const),
      })),
    policy: [{ rule: 'protected paths', result: 'pass' }],
    pr:
      state.pullRequest === null
        ? null
        : {
            number: state.pullRequest.number,
            url: state.pullRequest.url,
            state: decided ?? (state.pullRequest.draft ? 'draft' : 'open'),
            mergedAs: decided === 'merged' ? made.commit : null,
            cloneUrl: '/forge/demo.git',
          },
    diffstat: { files: made.files, added: made.added, removed: made.removed },
    costUsd: state.use.costUsd,
    simulated: true,
    createdAt: state.createdAt ?? '',
  };
}

/** An entry of the log as the API shows it. */
export function eventView(stored: StoredEvent): EventView {
  const data = stored.data as { step?: unknown };
  return {
    schema: 'berth.event/v1',
    run: stored.runId,
    seq: stored.seq,
    at: stored.at,
    type: stored.type,
    step: typeof data.step === 'string' ? data.step : null,
    ...describe(stored),
    data: stored.data,
  };
}
