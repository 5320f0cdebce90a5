import { sql } from 'kysely';
import type { ViewState } from '../../domain/view-state.ts';
import { viewVersion } from '../../domain/view-state.ts';
import type { Database } from '../database.ts';
import { toStorable } from '../events/storable.ts';

/** Keeps what people see of a run at one entry of its log. A hint: it is used only while its entry's hash is the log's. */
export async function saveViewSnapshot(db: Database, runId: string, view: ViewState): Promise<void> {
  await sql`
    insert into view_snapshots (run_id, seq, version, hash, state)
    select run_id, seq, ${viewVersion}::int, hash, ${JSON.stringify(toStorable(view))}::jsonb
    from events where run_id = ${runId} and seq = ${view.run.seq}
    on conflict (run_id, seq) do update set version = excluded.version, hash = excluded.hash, state = excluded.state
    where view_snapshots.version <> excluded.version or view_snapshots.hash <> excluded.hash`.execute(db.sql);
}

/** The nearest usable snapshot at or before `seq`, or null. */
export async function readViewSnapshot(db: Database, runId: string, seq: number): Promise<ViewState | null> {
  const row = await db.sql
    .selectFrom('view_snapshots')
    .innerJoin('events', (join) =>
      join
        .onRef('events.run_id', '=', 'view_snapshots.run_id')
        .onRef('events.seq', '=', 'view_snapshots.seq')
        .onRef('events.hash', '=', 'view_snapshots.hash'),
    )
    .select('state')
    .where('view_snapshots.run_id', '=', runId)
    .where('view_snapshots.version', '=', viewVersion)
    .where('view_snapshots.seq', '<=', seq)
    .orderBy('view_snapshots.seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? null : (row.state as ViewState);
}
