import { budgetPeriods, type BudgetConfig, type Config } from './config/index.ts';

export const budgetScopes = ['installation', 'project', 'principal'] as const;
export type BudgetScope = (typeof budgetScopes)[number];
export type BudgetPeriod = (typeof budgetPeriods)[number];

/** Whose money a run spends. */
export interface Spender {
  readonly projectId: string;
  /** By which the configuration knows the project. */
  readonly repository: string;
  /** Name of the project, for sentences. */
  readonly project: string;
  /** Principal whose task it is. */
  readonly principal: string;
}

/** The amounts of one scope and period; null: not limited. Where several budgets say something, the smallest. */
export interface BudgetCaps {
  readonly scope: BudgetScope;
  /** Id of the project or principal; empty for the installation. */
  readonly id: string;
  readonly per: BudgetPeriod;
  readonly costUsd: number | null;
  readonly tokens: number | null;
  readonly runs: number | null;
}

/** The caps of all nine counters that a run is counted in, limited or not. Pure. */
export function capsOfSpender(config: Config, spender: Spender): BudgetCaps[] {
  return [
    ...capsOfInstallation(config),
    ...capsOfProject(config, spender.projectId, spender.repository),
    ...capsOfPrincipal(config, spender.principal),
  ];
}

export function capsOfInstallation(config: Config): BudgetCaps[] {
  return capsOfScope('installation', '', config.limits.budgets);
}

/** Its own budgets, or those of the installation for each project. */
export function capsOfProject(config: Config, id: string, repository: string): BudgetCaps[] {
  const own = config.projects.find((one) => one.repository === repository)?.budgets;
  return capsOfScope('project', id, own ?? config.limits.projectBudgets);
}

export function capsOfPrincipal(config: Config, principal: string): BudgetCaps[] {
  return capsOfScope('principal', principal, config.limits.principalBudgets);
}

function capsOfScope(scope: BudgetScope, id: string, budgets: readonly BudgetConfig[]): BudgetCaps[] {
  return budgetPeriods.map((per) => {
    const those = budgets.filter((budget) => budget.per === per);
    const least = (name: 'costUsd' | 'tokens' | 'runs'): number | null => {
      const amounts = those.map((budget) => budget[name]).filter((amount) => amount !== undefined);
      return amounts.length === 0 ? null : Math.min(...amounts);
    };
    return { scope, id, per, costUsd: least('costUsd'), tokens: least('tokens'), runs: least('runs') };
  });
}

export function isLimited(caps: BudgetCaps): boolean {
  return caps.costUsd !== null || caps.tokens !== null || caps.runs !== null;
}

/** Whether anything at all is budgeted. */
export function hasBudgets(config: Config): boolean {
  const { budgets, projectBudgets, principalBudgets } = config.limits;
  return (
    budgets.length + projectBudgets.length + principalBudgets.length > 0 ||
    config.projects.some((project) => (project.budgets?.length ?? 0) > 0)
  );
}

const periodWords: Readonly<Record<BudgetPeriod, string>> = {
  day: 'today',
  week: 'this week',
  month: 'this month',
};
export type BudgetAmount = 'costUsd' | 'tokens' | 'runs';

/** `the budget of project web for today ($20.00)`. */
export function budgetWords(
  scope: BudgetScope,
  name: string,
  per: BudgetPeriod,
  amount: BudgetAmount,
  cap: number,
): string {
  const whose =
    scope === 'installation' ? 'the installation' : scope === 'project' ? `project ${name}` : name;
  const size =
    amount === 'costUsd' ? `$${cap.toFixed(2)}` : `${cap} ${amount === 'runs' && cap === 1 ? 'run' : amount}`;
  return `the budget of ${whose} for ${periodWords[per]} (${size})`;
}

/** `2026-11-22 00:00 UTC`. */
export function untilWords(until: Date): string {
  return `${until.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** `1st`, `2nd`, `3rd`, `11th`. */
export function ordinal(place: number): string {
  const teens = place % 100 >= 11 && place % 100 <= 13;
  const ending = teens ? 'th' : (['th', 'st', 'nd', 'rd'][place % 10] ?? 'th');
  return `${place}${ending}`;
}
