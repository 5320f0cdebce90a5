import { sql } from 'kysely';
import type { Database } from '../database.ts';
import type { Ownership } from './claim-run.ts';
import { waitingRuns } from './create-task.ts';

/**
 * Lets go of a run. `requeue`: it waits for an owner again and keeps its place; otherwise it rests (ended, paused)
 * until its inbox asks for an owner. False when it was not owned with this epoch any more.
 * @throws BerthError `DATABASE_UNAVAILABLE`
 */
export async function releaseRun(
  db: Database,
  ownership: Ownership,
  options: { readonly requeue: boolean },
): Promise<boolean> {
  // What came in while the owner was about to go must find an owner.
  const { rows } = await sql<{ waiting: boolean }>`
    update runs set owner_worker = null, waiting = ${options.requeue}::boolean or inbox_count > 0
    where id = ${ownership.runId} and owner_worker = ${ownership.worker} and owner_epoch = ${ownership.epoch}
    returning waiting`.execute(db.sql);
  const released = rows[0];
  if (released?.waiting === true) db.bell.ring(waitingRuns);
  return released !== undefined;
}
