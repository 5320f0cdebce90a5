import { isVisible, type VisibleProjects } from '../../domain/access.ts';
import type { ConfigRevision, ScheduleConfig } from '../../domain/config/index.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { nextOccurrences } from '../../config/cron.ts';
import { findProject } from '../../store/runs/find-project.ts';
import { readFirings } from '../../store/schedules/firings.ts';
import {
  askForFiring,
  pauseSchedule,
  readPauses,
  resumeSchedule,
  type SchedulePause,
} from '../../store/schedules/states.ts';
import { failuresInRow } from './decide.ts';
import { handInOpen, repositoryOf } from './hand-in.ts';
import { definitionOf, type LookParts } from './look.ts';
import type { ScheduleView } from './view.ts';
import { zonedTime } from './zoned-time.ts';

/** What the API asks about schedules. Rights were decided before; names are whole. */
export interface SchedulePlane {
  list(visible: VisibleProjects): Promise<readonly ScheduleView[]>;
  /** @throws BerthError `NOT_FOUND` */
  get(name: string): Promise<ScheduleView>;
  pause(name: string, by: string, reason: string): Promise<ScheduleView>;
  resume(name: string): Promise<ScheduleView>;
  /**
   * Hands in its task now, whether or not it is paused or an earlier run is under way.
   * @throws BerthError of what refused it
   */
  runNow(name: string, by: string): Promise<ScheduleView>;
}

export function schedulePlane(parts: Omit<LookParts, 'onError'>): SchedulePlane {
  const { db, config } = parts;

  const find = (name: string): { schedule: ScheduleConfig; revision: ConfigRevision } => {
    const revision = config.current();
    const schedule = revision.config.schedules.find((one) => one.name === name);
    if (schedule === undefined) throw new BerthError('NOT_FOUND', `There is no schedule ${name}.`);
    return { schedule, revision };
  };

  const viewOf = async (
    schedule: ScheduleConfig,
    { sources }: ConfigRevision,
    pause: SchedulePause | null,
  ): Promise<ScheduleView> => {
    const outcomes = await readFirings(db.sql, schedule.name, { limit: 10 });
    const isOff = pause !== null || !schedule.enabled;
    const next = isOff ? [] : nextOccurrences(schedule.cron, schedule.timeZone, db.clock.nowMs(), 3);
    return {
      schema: 'berth.schedule/v1',
      ...schedule,
      id: schedule.name,
      base: schedule.base ?? null,
      limits: { ...schedule.limits },
      source: sources[`schedules/${schedule.name}`] === 'database' ? 'database' : 'file',
      paused: pause,
      failuresInRow: failuresInRow(outcomes).length,
      next: next.map((ms) => ({
        at: new Date(ms).toISOString(),
        local: zonedTime(ms, schedule.timeZone),
      })),
      last: outcomes,
    };
  };

  const get = async (name: string): Promise<ScheduleView> => {
    const { schedule, revision } = find(name);
    return viewOf(schedule, revision, (await readPauses(db.sql, [name])).get(name) ?? null);
  };

  return {
    get,
    async list(visible) {
      const revision = config.current();
      const { schedules } = revision.config;
      const pauses = await readPauses(
        db.sql,
        schedules.map(({ name }) => name),
      );
      const views: ScheduleView[] = [];
      for (const schedule of schedules) {
        const repository = repositoryOf(revision.config, schedule);
        const project = repository === null ? null : await findProject(db, repository);
        if (project === null || !isVisible(visible, project.id)) continue;
        views.push(await viewOf(schedule, revision, pauses.get(schedule.name) ?? null));
      }
      return views.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    },
    async pause(name, by, reason) {
      const { schedule } = find(name);
      await pauseSchedule(db, name, definitionOf(schedule), { by, reason, code: 'SCHEDULE_PAUSED' });
      return get(name);
    },
    async resume(name) {
      find(name);
      await resumeSchedule(db, name);
      return get(name);
    },
    async runNow(name, by) {
      const { schedule, revision } = find(name);
      const plannedAt = await askForFiring(db, name, by);
      await handInOpen(parts, revision.config, schedule);
      const view = await get(name);
      const made = view.last.find((one) => one.plannedAt === plannedAt.toISOString() && one.kind === 'asked');
      if (made?.outcome === 'refused') {
        throw new BerthError('CONFLICT', `${name} was refused: ${made.reason ?? ''}`, {
          details: { refusal: made.code },
        });
      }
      return view;
    },
  };
}
