import { sql, type Kysely } from 'kysely';
import {
  budgetWords,
  capsOfInstallation,
  capsOfPrincipal,
  capsOfProject,
  hasBudgets,
  untilWords,
  type BudgetAmount,
  type BudgetScope,
} from '../../domain/budgets.ts';
import type { Config } from '../../domain/config/index.ts';
import type { Tables } from '../tables.ts';
import { readBudgets, type BudgetState } from './read-budgets.ts';

/** Why runs of a scope wait for its budget. */
export interface BudgetWait {
  readonly reason: string;
  readonly until: Date;
}

/** What the budgets of one scope mean for the runs in line. */
export interface ScopeBudget {
  readonly scope: BudgetScope;
  readonly id: string;
  /** Money or tokens are used up: nobody of it starts. */
  readonly spent: BudgetWait | null;
  /** No run more may begin: those that have begun before may go on. */
  readonly full: BudgetWait | null;
  /** How many more may begin; null: any number. */
  readonly runsLeft: number | null;
}

/** The budgets of everybody who has runs in line; empty without budgets. @throws BerthError `DATABASE_UNAVAILABLE` */
export async function waitingBudgets(executor: Kysely<Tables>, config: Config): Promise<ScopeBudget[]> {
  if (!hasBudgets(config)) return [];
  const { rows } = await sql<{ scope: BudgetScope; id: string; name: string; repository: string }>`
    with line as (select project_id, principal from runs where waiting and owner_worker is null group by 1, 2)
    select 'project' as scope, id, name, repository from projects where id in (select project_id from line)
    union all select distinct 'principal', principal, principal, '' from line`.execute(executor);
  const caps = [
    ...capsOfInstallation(config),
    ...rows.flatMap(({ scope, id, repository }) =>
      scope === 'project' ? capsOfProject(config, id, repository) : capsOfPrincipal(config, id),
    ),
  ];
  const states = await readBudgets(executor, caps);
  const scopes = [{ scope: 'installation' as const, id: '', name: '' }, ...rows];
  return scopes
    .map(({ scope, id, name }) => {
      const own = states.filter((state) => state.scope === scope && state.id === id);
      return { scope, id, ...verdict(own, name) };
    })
    .filter(({ spent, runsLeft }) => spent !== null || runsLeft !== null);
}

function verdict(budgets: readonly BudgetState[], name: string): Omit<ScopeBudget, 'scope' | 'id'> {
  const runs = budgets.map((budget) => budget.runs).filter((standing) => standing !== null);
  return {
    spent: longest(
      budgets.flatMap((budget) => [waitOf(budget, 'costUsd', name), waitOf(budget, 'tokens', name)]),
    ),
    full: longest(budgets.map((budget) => waitOf(budget, 'runs', name))),
    runsLeft: runs.length === 0 ? null : Math.max(0, Math.min(...runs.map(({ used, cap }) => cap - used))),
  };
}

function waitOf(budget: BudgetState, amount: BudgetAmount, name: string): BudgetWait | null {
  const standing = budget[amount];
  if (standing === null || standing.used + standing.reserved < standing.cap) return null;
  const words = budgetWords(budget.scope, name, budget.per, amount, standing.cap);
  return { reason: `Waits: ${words} is used up until ${untilWords(budget.until)}`, until: budget.until };
}

/** A run waits for the last of the budgets that hold it up. */
function longest(waits: readonly (BudgetWait | null)[]): BudgetWait | null {
  return waits
    .filter((wait) => wait !== null)
    .reduce<BudgetWait | null>(
      (last, wait) => (last === null || wait.until > last.until ? wait : last),
      null,
    );
}
