import { BerthError } from '../../domain/errors/index.ts';
import { inboxRequestSchema, type InboxEntry } from '../../domain/inbox.ts';
import type { Database } from '../database.ts';

/**
 * What no event has taken in yet, in the order it came. Give the ids to the append that takes it in.
 * @throws BerthError `DATABASE_UNAVAILABLE`, `EVENT_UNREADABLE`
 */
export async function readInbox(db: Database, runId: string): Promise<InboxEntry[]> {
  const rows = await db.sql
    .selectFrom('inbox')
    .select(['id', 'run_id', 'kind', 'data', 'by', 'posted_at'])
    .where('run_id', '=', runId)
    .where('consumed_seq', 'is', null)
    .orderBy('position')
    .execute();
  return rows.map((row) => {
    const parsed = inboxRequestSchema.safeParse({ kind: row.kind, ...row.data });
    if (!parsed.success) {
      throw new BerthError('EVENT_UNREADABLE', `The inbox entry ${row.id} cannot be read.`, {
        cause: parsed.error,
      });
    }
    return {
      id: row.id,
      runId: row.run_id,
      by: row.by,
      postedAt: row.posted_at.toISOString(),
      request: parsed.data,
    };
  });
}
