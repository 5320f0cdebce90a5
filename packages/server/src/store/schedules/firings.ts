import { sql, type Kysely } from 'kysely';
import type { RunStateName } from '../../domain/status.ts';
import type { Tables } from '../tables.ts';

/** A firing with what its task came to: the newest of the task's runs speaks for it. */
export interface FiringOutcome {
  readonly plannedAt: string;
  readonly kind: 'planned' | 'missed' | 'asked';
  readonly outcome: 'open' | 'handed_in' | 'left_out' | 'refused';
  readonly taskId: string | null;
  readonly runId: string | null;
  /** Of the run; null where there is none. */
  readonly state: RunStateName | null;
  readonly code: string | null;
  readonly reason: string | null;
  readonly by: string;
}

/** Firings of a schedule, newest first. @param since those decided from then on */
export async function readFirings(
  db: Kysely<Tables>,
  schedule: string,
  options: { readonly since?: Date; readonly limit: number },
): Promise<FiringOutcome[]> {
  const { rows } = await sql<Row>`
    select f.planned_at, f.kind, f.outcome, f.task_id, f.by, coalesce(f.code, r.code) as code,
      coalesce(f.reason, r.reason) as reason, r.id as run_id, r.state
    from schedule_firings f
    left join lateral (
      select id, state, code, reason from runs where runs.task_id = f.task_id order by attempt desc limit 1
    ) r on true
    where f.schedule = ${schedule} and f.decided_at >= ${options.since ?? new Date(0)}
    order by f.planned_at desc, f.kind limit ${options.limit}`.execute(db);
  return rows.map((row) => ({
    plannedAt: row.planned_at.toISOString(),
    kind: row.kind,
    outcome: row.outcome,
    taskId: row.task_id,
    runId: row.run_id,
    state: row.state,
    code: row.code,
    reason: row.reason,
    by: row.by,
  }));
}

interface Row {
  readonly planned_at: Date;
  readonly kind: FiringOutcome['kind'];
  readonly outcome: FiringOutcome['outcome'];
  readonly task_id: string | null;
  readonly run_id: string | null;
  readonly state: RunStateName | null;
  readonly code: string | null;
  readonly reason: string | null;
  readonly by: string;
}

/** Runs of a schedule's firings that are not over. */
export async function activeRunsOf(db: Kysely<Tables>, schedule: string): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select r.id from schedule_firings f join runs r on r.task_id = f.task_id
    where f.schedule = ${schedule} and r.state in ('queued', 'running', 'paused')
    order by r.created_at, r.id`.execute(db);
  return rows.map(({ id }) => id);
}

/** Firings that were decided and not handed in, oldest first. */
export async function openFirings(
  db: Kysely<Tables>,
  schedule: string,
): Promise<readonly { readonly plannedAt: Date; readonly kind: FiringOutcome['kind'] }[]> {
  return db
    .selectFrom('schedule_firings')
    .select(['planned_at as plannedAt', 'kind'])
    .where('schedule', '=', schedule)
    .where('outcome', '=', 'open')
    .orderBy('planned_at')
    .limit(20)
    .execute();
}

/** Says what became of an open firing; one that another replica has settled stays as it is. */
export async function settleFiring(
  db: Kysely<Tables>,
  at: { readonly schedule: string; readonly plannedAt: Date; readonly kind: FiringOutcome['kind'] },
  outcome: { readonly taskId: string } | { readonly code: string; readonly reason: string },
): Promise<void> {
  await db
    .updateTable('schedule_firings')
    .set(
      'taskId' in outcome
        ? { outcome: 'handed_in', task_id: outcome.taskId }
        : { outcome: 'refused', code: outcome.code, reason: outcome.reason },
    )
    .where('schedule', '=', at.schedule)
    .where('planned_at', '=', at.plannedAt)
    .where('kind', '=', at.kind)
    .where('outcome', '=', 'open')
    .execute();
}
