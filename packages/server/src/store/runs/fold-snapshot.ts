import { sql } from 'kysely';
import type { RunState } from '../../domain/run-state.ts';
import type { Database } from '../database.ts';
import { toStorable } from '../events/storable.ts';

/** Raised whenever the fold or the shape of `RunState` changes: older snapshots are not used then. */
export const foldVersion = 6;

/**
 * Saves the fold of a long log, so that recovery reads only what came after. It is a hint and not the truth: it is
 * used only when its entry's hash is still that of the log. An older one never replaces a newer one.
 */
export async function saveFoldSnapshot(db: Database, state: RunState): Promise<void> {
  await sql`
    insert into run_snapshots (run_id, seq, version, hash, state)
    select run_id, seq, ${foldVersion}::int, hash, ${JSON.stringify(toStorable(state))}::jsonb
    from events where run_id = ${state.runId} and seq = ${state.seq}
    on conflict (run_id) do update set seq = excluded.seq, version = excluded.version, hash = excluded.hash,
      state = excluded.state
    where run_snapshots.seq <= excluded.seq or run_snapshots.version <> excluded.version`.execute(db.sql);
}

/** The newest usable snapshot, or null: then the whole log is folded. */
export async function readFoldSnapshot(db: Database, runId: string): Promise<RunState | null> {
  const row = await db.sql
    .selectFrom('run_snapshots')
    .innerJoin('events', (join) =>
      join
        .onRef('events.run_id', '=', 'run_snapshots.run_id')
        .onRef('events.seq', '=', 'run_snapshots.seq')
        .onRef('events.hash', '=', 'run_snapshots.hash'),
    )
    .select('state')
    .where('run_snapshots.run_id', '=', runId)
    .where('run_snapshots.version', '=', foldVersion)
    .executeTakeFirst();
  return row === undefined ? null : (row.state as RunState);
}
