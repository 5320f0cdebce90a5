import { sql } from 'kysely';
import type { VisibleProjects } from '../../domain/access.ts';
import type { Database } from '../database.ts';
import type { ListedRun } from './list-rows.ts';
import { runColumns, toRunRecords, type RunRow } from './run-record.ts';

/** A place in the order in which rows changed: transaction, and id of the row within it. */
export interface ChangePosition {
  readonly transaction: string;
  readonly id: string;
}

export interface ChangedRun extends ListedRun {
  readonly position: ChangePosition;
}

/** Behind every id: they are lower-case letters, digits and hyphens. */
const behindAll = '~';

/**
 * Rows of runs that changed after a place, in order, as they are now; each appears once for all its changes up to now.
 * Only what no open transaction can precede any more is answered, so that going on from `position` loses nothing; a
 * transaction that stays open holds back the changes of those that began after it.
 * @param after null: no rows, only where to go on from
 * @throws BerthError `DATABASE_UNAVAILABLE`
 */
export async function readChanges(
  db: Database,
  options: {
    readonly after: ChangePosition | null;
    readonly visible: VisibleProjects;
    readonly limit: number;
  },
): Promise<{ readonly runs: readonly ChangedRun[]; readonly position: ChangePosition }> {
  const { after, visible, limit } = options;
  // One statement: the horizon is that of the very snapshot that the rows are read with.
  const horizon = sql<string>`pg_snapshot_xmin(pg_current_snapshot())::text::bigint`;
  if (after === null) {
    const { rows } = await sql<{ horizon: string }>`select ${horizon} as horizon`.execute(db.sql);
    return { runs: [], position: end(rows[0]?.horizon) };
  }
  const inSight = visible === 'all' ? sql`true` : sql`runs.project_id = any(${[...visible]})`;
  const columns = sql.join(runColumns.map((column) => sql.ref(column)));
  const { rows } = await sql<Partial<RunRow> & { project: string; changed: string; horizon: string }>`
    with now as (select ${horizon} as horizon)
    select found.*, now.horizon from now left join lateral (
      select ${columns}, projects.name as project, runs.changed
      from runs join tasks on tasks.id = runs.task_id join projects on projects.id = runs.project_id
      where runs.changed >= ${after.transaction}::bigint and runs.changed < now.horizon
        and (runs.changed > ${after.transaction}::bigint or runs.id collate "C" > ${after.id}) and ${inSight}
      order by runs.changed, runs.id collate "C" limit ${limit}
    ) found on true
    order by found.changed, found.id collate "C"`.execute(db.sql);
  const changed = rows.filter(isWhole);
  const records = await toRunRecords(db, changed);
  const runs = changed.map((row, place): ChangedRun => ({
    record: records[place]!,
    project: row.project,
    position: { transaction: row.changed, id: row.id },
  }));
  const last = runs.at(-1);
  return {
    runs,
    position: runs.length === limit && last !== undefined ? last.position : end(rows[0]?.horizon),
  };
}

/** Behind everything that is before the horizon. */
function end(horizon: string | undefined): ChangePosition {
  return { transaction: String(BigInt(horizon ?? '1') - 1n), id: behindAll };
}

/** The outer join answers one row of nulls when nothing has changed. */
function isWhole<Row extends Partial<RunRow>>(row: Row): row is Row & RunRow {
  return typeof row.id === 'string';
}
