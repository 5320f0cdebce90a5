import type { RunState } from '../domain/run-state.ts';
import type { RunView } from '../domain/views.ts';
import type { RunStanding } from '../limits/read-standing.ts';
import type { BudgetState } from '../store/runs/read-budgets.ts';

type LimitView = RunView['limits'][number];
type Standing = Omit<RunStanding, 'project'>;

const nothing: Standing = { reserved: { costUsd: 0, tokens: 0, steps: 0 }, budgets: [] };

/** The limits of a run, its own first, then the budgets it spends from, each with what is reserved now. Pure. */
export function limitViews(state: RunState, standing: Standing = nothing): LimitView[] {
  return [...ownLimits(state, standing.reserved), ...standing.budgets.flatMap(budgetViews)];
}

function ownLimits(state: RunState, reserved: RunStanding['reserved']): LimitView[] {
  if (state.plan === null) return [];
  const { limits } = state.plan;
  const { use } = state;
  const rounds = Math.max(0, ...state.steps.map((step) => step.round));
  const row = (name: LimitView['name'], used: number, cap: number, held = 0): LimitView => ({
    name,
    used,
    reserved: held,
    cap,
    owner: 'run',
    per: null,
    until: null,
  });
  return [
    row('cost', use.costUsd, limits.costUsd, reserved.costUsd),
    row('tokens', use.inputTokens + use.outputTokens, limits.tokens, reserved.tokens),
    row('steps', use.modelCalls, limits.steps, reserved.steps),
    row('minutes', use.activeMs / 60_000, limits.minutes),
    row('rounds', rounds, limits.rounds),
  ];
}

const names = { costUsd: 'cost', tokens: 'tokens', runs: 'runs' } as const;

function budgetViews(budget: BudgetState): LimitView[] {
  return (['costUsd', 'tokens', 'runs'] as const).flatMap((amount) => {
    const standing = budget[amount];
    if (standing === null) return [];
    const { scope: owner, per, until } = budget;
    return [{ name: names[amount], ...standing, owner, per, until: until.toISOString() }];
  });
}
