import { capsOfSpender } from '../domain/budgets.ts';
import type { Config } from '../domain/config/index.ts';
import type { Database } from '../store/database.ts';
import { readBudgets, type BudgetState } from '../store/runs/read-budgets.ts';

/** What a run has reserved, and the budgets it stands in. */
export interface RunStanding {
  /** Name of its project. */
  readonly project: string;
  readonly reserved: { readonly costUsd: number; readonly tokens: number; readonly steps: number };
  readonly budgets: readonly BudgetState[];
}

/** Of a run that was planned or not, ended or not. @throws BerthError `DATABASE_UNAVAILABLE` */
export async function readStanding(db: Database, config: Config, runId: string): Promise<RunStanding> {
  const row = await db.sql
    .selectFrom('runs')
    .innerJoin('projects', 'projects.id', 'runs.project_id')
    .leftJoin('run_budgets', 'run_budgets.run_id', 'runs.id')
    .select([
      'runs.project_id as projectId',
      'projects.name as project',
      'projects.repository',
      'runs.principal',
      'run_budgets.reserved_usd',
      'run_budgets.reserved_tokens',
      'run_budgets.reserved_steps',
    ])
    .where('runs.id', '=', runId)
    .executeTakeFirst();
  return {
    project: row?.project ?? '',
    reserved: {
      costUsd: Number(row?.reserved_usd ?? 0),
      tokens: Number(row?.reserved_tokens ?? 0),
      steps: row?.reserved_steps ?? 0,
    },
    budgets: row === undefined ? [] : await readBudgets(db.sql, capsOfSpender(config, row)),
  };
}
