import { sql, type Kysely } from 'kysely';
import type { Database } from '../database.ts';
import type { Tables } from '../tables.ts';
import { activeRunsOf, openFirings, readFirings, type FiringOutcome } from './firings.ts';

export interface SchedulePause {
  readonly at: string;
  readonly by: string;
  readonly code: string;
  readonly reason: string;
}

/** What one look at a schedule decides: nothing is handed in before it is written. */
export interface ScheduleDecision {
  readonly pause: Pick<SchedulePause, 'by' | 'code' | 'reason'> | null;
  readonly firings: readonly {
    readonly plannedMs: number;
    readonly kind: FiringOutcome['kind'];
    readonly leftOut: { readonly code: string; readonly reason: string } | null;
  }[];
}

/**
 * Looks at a schedule under its row's lock and writes what `decide` says, so that of several replicas that look at once
 * each planned time is decided by one. A schedule that is seen for the first time, or differs from what it was, begins
 * now.
 * @returns the pause it took by this look, if it did
 */
export async function lookAtSchedule(
  db: Database,
  schedule: { readonly name: string; readonly definition: string; readonly by: string },
  decide: (now: {
    readonly handledToMs: number;
    readonly isPaused: boolean;
    readonly hasActive: boolean;
    readonly outcomes: readonly FiringOutcome[];
    readonly nowMs: number;
  }) => ScheduleDecision,
): Promise<ScheduleDecision['pause']> {
  const { name, definition, by } = schedule;
  return db.sql.transaction().execute(async (transaction) => {
    const now = new Date(db.clock.nowMs());
    await transaction
      .insertInto('schedule_states')
      .values({ name, definition, handled_to: now, judged_from: now })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute();
    const row = await transaction
      .selectFrom('schedule_states')
      .selectAll()
      .where('name', '=', name)
      .forUpdate()
      .executeTakeFirstOrThrow();
    const isOther = row.definition !== definition;
    // A replica whose clock is behind has nothing to add to what was dealt with.
    const handledToMs = isOther ? now.getTime() : row.handled_to.getTime();
    const decision = decide({
      handledToMs,
      isPaused: row.paused_at !== null,
      hasActive:
        (await activeRunsOf(transaction, name)).length > 0 ||
        (await openFirings(transaction, name)).length > 0,
      outcomes: await readFirings(transaction, name, { since: row.judged_from, limit: 1_000 }),
      nowMs: now.getTime(),
    });
    if (decision.firings.length > 0) {
      await transaction
        .insertInto('schedule_firings')
        .values(
          decision.firings.map(({ plannedMs, kind, leftOut }) => ({
            schedule: name,
            planned_at: new Date(plannedMs),
            kind,
            outcome: leftOut === null ? ('open' as const) : ('left_out' as const),
            code: leftOut?.code ?? null,
            reason: leftOut?.reason ?? null,
            by,
            decided_at: now,
          })),
        )
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
    await transaction
      .updateTable('schedule_states')
      .set({
        definition,
        handled_to: new Date(Math.max(handledToMs, now.getTime())),
        ...(decision.pause === null ? {} : pauseColumns(decision.pause, now)),
      })
      .where('name', '=', name)
      .execute();
    return decision.pause;
  });
}

function pauseColumns(pause: Pick<SchedulePause, 'by' | 'code' | 'reason'>, now: Date) {
  return { paused_at: now, paused_by: pause.by, paused_code: pause.code, paused_reason: pause.reason };
}

/** Makes a firing that somebody asked for; answers its time, which is its key. */
export async function askForFiring(db: Database, name: string, by: string): Promise<Date> {
  for (let ms = db.clock.nowMs(); ; ms += 1) {
    const made = await db.sql
      .insertInto('schedule_firings')
      .values({
        schedule: name,
        planned_at: new Date(ms),
        kind: 'asked',
        outcome: 'open',
        by,
        decided_at: new Date(db.clock.nowMs()),
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning('planned_at')
      .executeTakeFirst();
    if (made !== undefined) return made.planned_at;
  }
}

/** Pauses; one that is paused stays as it is. @param definition of a schedule that no look has seen yet */
export async function pauseSchedule(
  db: Database,
  name: string,
  definition: string,
  pause: Pick<SchedulePause, 'by' | 'code' | 'reason'>,
): Promise<void> {
  const now = new Date(db.clock.nowMs());
  const columns = pauseColumns(pause, now);
  await db.sql
    .insertInto('schedule_states')
    .values({ name, definition, handled_to: now, judged_from: now, ...columns })
    .onConflict((conflict) =>
      conflict.column('name').doUpdateSet(columns).where('schedule_states.paused_at', 'is', null),
    )
    .execute();
}

/** Goes on from now: what was planned during the pause is not made up for, and failures count anew. */
export async function resumeSchedule(db: Database, name: string): Promise<void> {
  const now = new Date(db.clock.nowMs());
  await db.sql
    .updateTable('schedule_states')
    .set({
      paused_at: null,
      paused_by: null,
      paused_code: null,
      paused_reason: null,
      handled_to: now,
      judged_from: now,
    })
    .where('name', '=', name)
    .where('paused_at', 'is not', null)
    .execute();
}

/** Pauses by name, of those that are paused. */
export async function readPauses(
  db: Kysely<Tables>,
  names: readonly string[],
): Promise<ReadonlyMap<string, SchedulePause>> {
  const rows = await db
    .selectFrom('schedule_states')
    .select(['name', 'paused_at', 'paused_by', 'paused_code', 'paused_reason'])
    .where('paused_at', 'is not', null)
    .where('name', '=', sql<string>`any(${[...names]})`)
    .execute();
  return new Map(
    rows.map((row) => [
      row.name,
      {
        at: row.paused_at?.toISOString() ?? '',
        by: row.paused_by ?? '',
        code: row.paused_code ?? '',
        reason: row.paused_reason ?? '',
      },
    ]),
  );
}

/** Forgets schedules that are not there any more, so that one of the same name later begins anew. */
export async function forgetSchedules(db: Database, present: readonly string[]): Promise<void> {
  await db.sql
    .deleteFrom('schedule_states')
    .where('name', '!=', sql<string>`all(${[...present]})`)
    .execute();
}
