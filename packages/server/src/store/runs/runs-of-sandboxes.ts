import { sql } from 'kysely';
import { outcomes } from '../../domain/status.ts';
import type { Database } from '../database.ts';

/**
 * Which live run's log names each of these sandboxes: for those whose driver cannot be told whose they are.
 * @returns by sandbox id; without those that no live run took
 */
export async function runsOfSandboxes(
  db: Database,
  sandboxIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (sandboxIds.length === 0) return new Map();
  const { rows } = await sql<{ readonly sandboxId: string; readonly runId: string }>`
    select payload.data->'ref'->>'id' as "sandboxId", runs.id as "runId"
    from runs
    join events on events.run_id = runs.id and events.type = 'sandbox.created'
    join event_payloads payload on payload.run_id = events.run_id and payload.seq = events.seq
    where runs.state <> all(${[...outcomes]}::text[])
      and payload.data->'ref'->>'id' = any(${sandboxIds}::text[])`.execute(db.sql);
  return new Map(rows.map(({ sandboxId, runId }) => [sandboxId, runId]));
}
