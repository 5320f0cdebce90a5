import type { Database } from '../database.ts';
import type { Ownership } from './claim-run.ts';

export interface Owned extends Ownership {
  /** Whether its inbox holds what no event has taken in. */
  readonly isAsked: boolean;
}

/**
 * The runs that `worker` owns by the database. A worker looks now and then for those it does not know of: the
 * answer to its claim was lost, or it failed before it could let go. It takes them up again with this epoch.
 * @throws BerthError `DATABASE_UNAVAILABLE`
 */
export async function listOwned(db: Database, worker: string): Promise<Owned[]> {
  const rows = await db.sql
    .selectFrom('runs')
    .select(['id', 'owner_epoch', 'inbox_count'])
    .where('owner_worker', '=', worker)
    .orderBy('queued_at')
    .execute();
  return rows.map((row) => ({
    runId: row.id,
    worker,
    epoch: row.owner_epoch,
    isAsked: row.inbox_count > 0,
  }));
}
