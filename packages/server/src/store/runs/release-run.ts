import { sql } from 'kysely';
import type { Database } from '../database.ts';
import type { Ownership } from './claim-run.ts';
import { waitingRuns } from './create-task.ts';

/** A run without room for its sandbox is not given out again before this; doubled each time, up to the longest. */
const firstHoldS = 10;
const longestHoldS = 120;

/**
 * Lets go of a run. `requeue`: it waits for an owner again and keeps its place; otherwise it rests (ended, paused)
 * until its inbox asks for an owner. `held`: it waits with this reason and is tried again after a while. False when it was not owned with this epoch any more.
 * @throws BerthError `DATABASE_UNAVAILABLE`
 */
export async function releaseRun(
  db: Database,
  ownership: Ownership,
  options: {
    readonly requeue: boolean;
    readonly held?: { readonly code: string; readonly sentence: string };
  },
): Promise<boolean> {
  const { held } = options;
  const hold =
    held === undefined
      ? sql`held_until = null, held_code = null, held_reason = null, held_times = 0`
      : sql`held_code = ${held.code}, held_reason = ${held.sentence}, held_times = held_times + 1,
          held_until = clock_timestamp() + interval '1 second' *
            least(${longestHoldS}::float, ${firstHoldS}::float * power(2, least(held_times, 10)))`;
  // What came in while the owner was about to go must find an owner.
  const { rows } = await sql<{ waiting: boolean }>`
    update runs set owner_worker = null, waiting = ${options.requeue}::boolean or inbox_count > 0, ${hold}
    where id = ${ownership.runId} and owner_worker = ${ownership.worker} and owner_epoch = ${ownership.epoch}
    returning waiting`.execute(db.sql);
  const released = rows[0];
  if (released?.waiting === true) db.bell.ring(waitingRuns);
  return released !== undefined;
}
