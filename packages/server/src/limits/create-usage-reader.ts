import { sql } from 'kysely';
import { capsOfInstallation, capsOfPrincipal, capsOfProject, type BudgetCaps } from '../domain/budgets.ts';
import type { CurrentConfig } from '../domain/config/index.ts';
import type { UsageReach, UsageReader } from '../domain/ports/usage.ts';
import type { BudgetsView } from '../domain/usage.ts';
import type { Database } from '../store/database.ts';
import { readBudgets, type BudgetState } from '../store/runs/read-budgets.ts';
import { readUsage } from './read-usage.ts';

/** Principals whose budgets are told to whoever sees the whole installation. */
const mostPrincipals = 500;
const amounts = ['costUsd', 'tokens', 'runs'] as const;

/** What was used and what may be; see the port for its contract. */
export function createUsageReader(db: Database, config: CurrentConfig): UsageReader {
  return {
    usage: (query) => readUsage(db, query),
    async budgets(reach) {
      const named = await budgetsInReach(db, config, reach);
      const states = await readBudgets(
        db.sql,
        named.flatMap((one) => one.caps),
      );
      const names = new Map(named.map(({ name, caps }) => [keyOf(caps[0]!), name]));
      return {
        schema: 'berth.budgets/v1',
        budgets: states.flatMap((state) => budgetRows(state, names.get(keyOf(state)) ?? state.id)),
      };
    },
  };
}

interface NamedCaps {
  readonly name: string;
  readonly caps: readonly BudgetCaps[];
}

/** The installation's are told to whoever sees all of it; those of a principal also to themselves. */
async function budgetsInReach(
  db: Database,
  current: CurrentConfig,
  { visible, self }: UsageReach,
): Promise<NamedCaps[]> {
  const { config } = current.current();
  const isAll = visible === 'all';
  const { rows: projects } = await sql<{ id: string; name: string; repository: string }>`
    select id, name, repository from projects where ${isAll} or id = any(${isAll ? [] : [...visible]}::text[]) order by name, id
  `.execute(db.sql);
  const { rows: principals } = await sql<{ id: string }>`
    select distinct id from budget_use where scope = 'principal' and ${isAll} order by id limit ${mostPrincipals}
  `.execute(db.sql);
  const people = new Set([...(self === null ? [] : [self]), ...principals.map((row) => row.id)]);
  return [
    ...(isAll ? [{ name: '', caps: capsOfInstallation(config) }] : []),
    ...projects.map(({ id, name, repository }) => ({ name, caps: capsOfProject(config, id, repository) })),
    ...[...people].map((id) => ({ name: id, caps: capsOfPrincipal(config, id) })),
  ];
}

function keyOf({ scope, id }: { readonly scope: string; readonly id: string }): string {
  return `${scope} ${id}`;
}

function budgetRows(state: BudgetState, name: string): BudgetsView['budgets'] {
  return amounts.flatMap((amount) => {
    const standing = state[amount];
    if (standing === null) return [];
    const { scope, per, from, until } = state;
    return [{ scope, name, per, amount, ...standing, from: from.toISOString(), until: until.toISOString() }];
  });
}
