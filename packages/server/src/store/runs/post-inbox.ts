import { sql } from 'kysely';
import { BerthError } from '../../domain/errors/index.ts';
import { inboxRequestSchema, type InboxRequest } from '../../domain/inbox.ts';
import type { Database } from '../database.ts';
import { toStorable } from '../events/storable.ts';
import { waitingRuns } from './create-task.ts';

/** What the bell rings for when a run's inbox has grown. */
export function inboxOf(runId: string): string {
  return `inbox of ${runId}`;
}

/**
 * Asks something of a run. The same `id` again changes nothing. A run without an owner begins to wait for one.
 * @returns whether the entry is new
 * @throws BerthError `NOT_FOUND`, `USAGE`, `DATABASE_UNAVAILABLE` (repeat it with the same id)
 */
export async function postInbox(
  db: Database,
  entry: { readonly id: string; readonly runId: string; readonly by: string; readonly request: InboxRequest },
): Promise<boolean> {
  const parsed = inboxRequestSchema.safeParse(toStorable(entry.request));
  if (!parsed.success)
    throw new BerthError('USAGE', 'The request to the run is not valid.', { cause: parsed.error });
  const { kind, ...data } = parsed.data;
  const { rows } = await sql<{ found: boolean; added: boolean }>`
    with run as (select id from runs where id = ${entry.runId}),
    added as (
      insert into inbox (id, run_id, kind, data, by)
      select ${entry.id}, run.id, ${kind}, ${JSON.stringify(data)}::jsonb, ${entry.by} from run
      on conflict (id) do nothing returning run_id
    ), counted as (
      update runs set inbox_count = inbox_count + 1,
        waiting = waiting or owner_worker is null,
        queued_at = case when waiting or owner_worker is not null then queued_at else clock_timestamp() end
      where id in (select run_id from added)
    )
    select exists (select from run) as found, exists (select from added) as added`.execute(db.sql);
  if (rows[0]?.found !== true) throw new BerthError('NOT_FOUND', `There is no run ${entry.runId}.`);
  db.bell.ring(inboxOf(entry.runId));
  db.bell.ring(waitingRuns);
  return rows[0].added;
}
