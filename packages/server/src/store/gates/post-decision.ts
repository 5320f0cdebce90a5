import { sql } from 'kysely';
import type { Database } from '../database.ts';
import { toStorable } from '../events/storable.ts';
import { waitingRuns } from '../runs/create-task.ts';
import { inboxOf } from '../runs/post-inbox.ts';
import type { InboxRequest } from '../../domain/inbox.ts';

type Decision = Extract<InboxRequest, { kind: 'gate' }>;

/** What became of a decision that was handed in. `taken`: somebody else's is in the inbox already. */
export type Posted =
  | { readonly kind: 'posted' }
  | { readonly kind: 'taken'; readonly by: string; readonly verdict: string }
  | { readonly kind: 'not-open' }
  | { readonly kind: 'expired' };

/**
 * Puts a decision into the inbox of the run, if its gate is open now, has not expired by the database's clock, and
 * nobody else's decision is there: of any number that try at once, over any number of replicas, one is `posted`. It
 * locks the run's row, as every append does.
 * @throws BerthError `DATABASE_UNAVAILABLE`
 */
export async function postDecision(
  db: Database,
  entry: { readonly id: string; readonly runId: string; readonly by: string; readonly decision: Decision },
): Promise<Posted> {
  const { id, runId, by } = entry;
  const { kind, ...data } = toStorable(entry.decision) as Decision;
  const posted = await db.sql.transaction().execute(async (transaction): Promise<Posted> => {
    const { rows } = await sql<{ is_open: boolean; is_expired: boolean }>`
      select gate->>'id' is not distinct from ${data.gateId} as is_open,
        coalesce(gate_expires_at <= clock_timestamp(), false) as is_expired
      from runs where id = ${runId} for update`.execute(transaction);
    const run = rows[0];
    if (run?.is_open !== true) return { kind: 'not-open' };
    if (run.is_expired && data.verdict !== 'expired') return { kind: 'expired' };
    if (!run.is_expired && data.verdict === 'expired') return { kind: 'not-open' };
    const { rows: added } = await sql<{ id: string }>`
      insert into inbox (id, run_id, kind, data, by)
      values (${id}, ${runId}, ${kind}, ${JSON.stringify(data)}::jsonb, ${by})
      on conflict (run_id, (data->>'gateId')) where kind = 'gate' and consumed_seq is null do nothing
      returning id`.execute(transaction);
    if (added.length === 0) {
      const other = await sql<{ by: string; verdict: string }>`
        select by, data->>'verdict' as verdict from inbox
        where run_id = ${runId} and kind = 'gate' and consumed_seq is null and data->>'gateId' = ${data.gateId}`.execute(
        transaction,
      );
      return {
        kind: 'taken',
        by: other.rows[0]?.by ?? 'somebody',
        verdict: other.rows[0]?.verdict ?? 'decided',
      };
    }
    await sql`
      update runs set inbox_count = inbox_count + 1, waiting = waiting or owner_worker is null,
        queued_at = case when waiting or owner_worker is not null then queued_at else clock_timestamp() end
      where id = ${runId}`.execute(transaction);
    return { kind: 'posted' };
  });
  if (posted.kind === 'posted') {
    db.bell.ring(inboxOf(runId));
    db.bell.ring(waitingRuns);
  }
  return posted;
}
