import { sql } from 'kysely';
import { capsOfSpender, type Spender } from '../domain/budgets.ts';
import { emptyConfig } from '../domain/config/index.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { Database } from '../store/database.ts';

/**
 * Whose money a run spends, with the counters of the three made ready.
 * @throws BerthError `NOT_FOUND`, `DATABASE_UNAVAILABLE`
 */
export async function spenderOf(db: Database, runId: string): Promise<Spender> {
  const row = await db.sql
    .selectFrom('runs')
    .innerJoin('projects', 'projects.id', 'runs.project_id')
    .select([
      'runs.project_id as projectId',
      'projects.name as project',
      'projects.repository',
      'runs.principal',
    ])
    .where('runs.id', '=', runId)
    .executeTakeFirst();
  if (row === undefined) throw new BerthError('NOT_FOUND', `There is no run ${runId}.`);
  const counters = capsOfSpender(emptyConfig, row);
  await sql`
    insert into budget_use (scope, id, per)
    select * from unnest(${counters.map((one) => one.scope)}::text[], ${counters.map((one) => one.id)}::text[],
      ${counters.map((one) => one.per)}::text[])
    order by 1, 2, 3 on conflict do nothing`.execute(db.sql);
  return row;
}
