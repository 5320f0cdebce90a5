import * as fc from 'fast-check';
import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { BerthError } from '../../domain/errors/index.ts';
import { requestersOf } from '../../runs/requesters.ts';
import type { Database } from '../../store/database.ts';
import { readFirings } from '../../store/schedules/firings.ts';
import { memoryAudit } from '../../testing/access-world.ts';
import { testDatabase } from '../../testing/database.ts';
import { ManualClock } from '../../testing/manual-clock.ts';
import { endRuns, handingInPlane, pinnedConfig } from '../../testing/schedule-world.ts';
import { lookAtSchedules, type LookParts } from './look.ts';
import { schedulePlane } from './plane.ts';

const database = testDatabase();
const hourly = {
  name: 'hourly',
  project: 'web',
  task: 'Update the fixtures',
  cron: '0 * * * *',
  overlap: 'allow',
};
const projects = [{ name: 'web', repository: '/srv/web.git' }];
const start = Date.parse('2026-05-01T00:30:00Z');

let clock: ManualClock;
let db: Database;
beforeEach(async () => {
  clock = new ManualClock(start);
  db = await database.open(clock);
  await sql`truncate schedule_firings, schedule_states, tasks cascade`.execute(db.sql);
});

function world(...schedules: object[]) {
  const config = pinnedConfig({ projects, schedules });
  const audit = memoryAudit();
  const errors: BerthError[] = [];
  const parts: LookParts = {
    db,
    config,
    audit,
    controlPlane: handingInPlane(db, config),
    onError: (error) => errors.push(error),
  };
  return { config, audit, errors, parts, plane: schedulePlane(parts), look: () => lookAtSchedules(parts) };
}

const firings = (name = 'hourly') => readFirings(db.sql, name, { limit: 100 });
const outcomes = async (name = 'hourly') => (await firings(name)).map(({ outcome, code }) => code ?? outcome);

test('a planned time hands in one task, whoever looks and however often', async () => {
  const { parts, look, audit } = world(hourly);
  const elsewhere = await database.open(clock);
  const other = { ...parts, db: elsewhere };
  await look();
  clock.jump(31 * 60_000);
  await Promise.all([look(), lookAtSchedules(other), look(), lookAtSchedules(other)]);
  await look();
  const made = await firings();
  expect(made.map(({ plannedAt }) => plannedAt)).toEqual(['2026-05-01T01:00:00.000Z']);
  const tasks = await db.sql.selectFrom('tasks').select(['id', 'owner', 'origin']).execute();
  expect(tasks).toHaveLength(1);
  expect(tasks[0]).toMatchObject({
    id: made[0]?.taskId,
    owner: 'schedule:hourly',
    origin: { kind: 'schedule', by: 'schedule:hourly' },
  });
  expect(audit.acts.every((act) => act.by === 'schedule:hourly' && act.byKind === 'trigger')).toBe(true);
  expect(audit.acts.length).toBeGreaterThan(0);
});

test('a new or changed schedule counts from now on', async () => {
  const { look, config } = world(hourly);
  await look();
  clock.jump(45 * 60_000);
  config.change({ projects, schedules: [{ ...hourly, cron: '10 * * * *', missed: 'once' }] });
  await look();
  expect(await firings()).toEqual([]);
  clock.jump(3_600_000);
  await look();
  expect(await outcomes()).toEqual(['handed_in']);
});

test('after a downtime the last missed time is made up for, where it is so configured', async () => {
  const { look } = world({ ...hourly, missed: 'once' }, { ...hourly, name: 'forgets' });
  await look();
  clock.jump(10 * 3_600_000);
  await look();
  expect(await firings()).toMatchObject([
    { plannedAt: '2026-05-01T10:00:00.000Z', kind: 'missed', outcome: 'handed_in' },
  ]);
  expect(await outcomes('forgets')).toEqual(['SCHEDULE_MISSED']);
});

test('it pauses itself after failures, says why on record, and goes on when it is resumed', async () => {
  const { look, plane, audit } = world({ ...hourly, pauseAfterFailures: 2 });
  await look();
  for (let hour = 0; hour < 2; hour += 1) {
    clock.jump(3_600_000 - (hour === 0 ? 29 * 60_000 : 0));
    await look();
    await endRuns(db, 'failed', 'CHECKS_FAILED');
  }
  clock.jump(60_000);
  await look();
  const view = await plane.get('hourly');
  expect(view.paused).toMatchObject({ code: 'SCHEDULE_FAILURES', by: 'schedule:hourly' });
  expect(view.paused?.reason).toContain('CHECKS_FAILED (2 times)');
  expect(view.next).toEqual([]);
  expect(audit.acts.at(-1)).toMatchObject({ action: 'schedule.pause', code: 'SCHEDULE_FAILURES' });
  const before = (await firings()).length;
  clock.jump(3 * 3_600_000);
  await look();
  expect(await firings()).toHaveLength(before);
  expect((await plane.resume('hourly')).paused).toBeNull();
  await look();
  expect(await firings()).toHaveLength(before);
  clock.jump(3_600_000);
  await look();
  expect(await firings()).toHaveLength(before + 1);
  expect((await plane.get('hourly')).paused).toBeNull();
});

test('an earlier run under way: left out, allowed, or replaced', async () => {
  const { look } = world(
    { ...hourly, overlap: 'skip' },
    { ...hourly, name: 'allows' },
    { ...hourly, name: 'replaces', overlap: 'replace' },
  );
  await look();
  for (let hour = 0; hour < 2; hour += 1) {
    clock.jump(3_600_000 - (hour === 0 ? 29 * 60_000 : 0));
    await withMovingClock(look());
  }
  expect(await outcomes()).toEqual(['SCHEDULE_OVERLAP', 'handed_in']);
  expect(await outcomes('allows')).toEqual(['handed_in', 'handed_in']);
  const [, earlier] = await firings('replaces');
  const asked = await db.sql
    .selectFrom('inbox')
    .select(['kind', 'by'])
    .where('run_id', '=', earlier?.runId ?? '')
    .execute();
  expect(asked).toEqual([{ kind: 'cancel', by: 'schedule:replaces' }]);
});

/** A cancel waits a bounded while for a worker that is not here: time goes on until the look is over. */
async function withMovingClock(looking: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  const looked = looking.finally(() => over.abort());
  while (!over.signal.aborted) {
    await Promise.race([looked, new Promise((resolve) => setTimeout(resolve, 25))]);
    await clock.advance(250);
  }
  await looked;
}

test('what cannot be handed in is refused with its code, and does not hold up the others', async () => {
  const { look, parts, config, errors } = world();
  config.change({
    projects: [...projects, { name: 'gone', repository: '/srv/gone.git' }],
    schedules: [{ ...hourly, name: 'broken', project: 'gone' }, hourly],
  });
  await look();
  clock.jump(31 * 60_000);
  await look();
  expect(await outcomes('broken')).toEqual(['REPO_NOT_FOUND']);
  expect(await outcomes()).toEqual(['handed_in']);
  expect(errors).toEqual([]);
  await expect(schedulePlane(parts).runNow('broken', 'ann@example.org')).rejects.toThrow('Nothing at');
});

test('run now hands in at once, also while it is paused', async () => {
  const { plane } = world(hourly);
  await plane.pause('hourly', 'ann@example.org', 'holidays');
  const view = await plane.runNow('hourly', 'ann@example.org');
  expect(view.paused?.reason).toBe('holidays');
  expect(view.last).toMatchObject([{ kind: 'asked', outcome: 'handed_in', by: 'ann@example.org' }]);
  // Whoever had it fire may not be the one who approves it.
  const task = await db.sql.selectFrom('tasks').select('id').executeTakeFirstOrThrow();
  expect(await requestersOf(db, task.id)).toEqual(['schedule:hourly', 'ann@example.org']);
});

test('one that was removed and comes again begins anew', async () => {
  const { look, config } = world({ ...hourly, missed: 'once' });
  await look();
  config.change({ projects, schedules: [] });
  // The revision a replica has must be the newest for it to forget anything.
  await look();
  clock.jump(5 * 3_600_000);
  await db.sql.deleteFrom('schedule_states').execute();
  config.change({ projects, schedules: [{ ...hourly, missed: 'once' }] });
  await look();
  expect(await firings()).toEqual([]);
});

test('whenever replicas die and whoever looks, each time that was due has exactly one task', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ minutes: fc.integer({ min: 1, max: 3 }), dies: fc.integer({ min: 0, max: 3 }) }), {
        minLength: 4,
        maxLength: 10,
      }),
      async (steps) => {
        const name = `s${Math.random().toString(36).slice(2)}`;
        const { parts } = world({ ...hourly, name, cron: '* * * * *' });
        const from = clock.nowMs();
        await lookAtSchedules(parts);
        for (const { minutes, dies } of steps) {
          clock.jump(minutes * 60_000);
          await Promise.all([
            lookAtSchedules(dying(parts, dies)).catch(() => undefined),
            lookAtSchedules(dying(parts, dies + 1)).catch(() => undefined),
          ]);
        }
        await lookAtSchedules(parts);
        const due = Math.floor(clock.nowMs() / 60_000) - Math.floor(from / 60_000);
        const made = await readFirings(db.sql, name, { limit: 1_000 });
        expect(made.map(({ outcome }) => outcome)).toEqual(Array(due).fill('handed_in'));
        const tasks = await db.sql
          .selectFrom('tasks')
          .select('id')
          .where('owner', '=', `schedule:${name}`)
          .execute();
        expect(tasks).toHaveLength(due);
        expect(new Set(made.map(({ taskId }) => taskId)).size).toBe(due);
      },
    ),
    { numRuns: 4 },
  );
});

/** A replica that is gone before, or after, its nth task is made. */
function dying(parts: LookParts, nth: number): LookParts {
  let made = 0;
  const gone = (): never => {
    throw new BerthError('DATABASE_UNAVAILABLE', 'killed');
  };
  return {
    ...parts,
    controlPlane: {
      cancel: gone,
      async createTask(request) {
        if (made > nth) gone();
        made += 1;
        const created = await parts.controlPlane.createTask(request);
        return made > nth ? gone() : created;
      },
    },
  };
}
