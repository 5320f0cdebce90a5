import type { ConfigRevision, CurrentConfig, ScheduleConfig } from '../../domain/config/index.ts';
import { asBerthError, errorRegistry, type BerthError } from '../../domain/errors/index.ts';
import { newestRevisionNumber } from '../../store/config/revisions.ts';
import { findProject } from '../../store/runs/find-project.ts';
import { forgetSchedules, lookAtSchedule } from '../../store/schedules/states.ts';
import { decideFirings, selfPause } from './decide.ts';
import { handInOpen, repositoryOf, schedulePrincipal, type HandInParts } from './hand-in.ts';

export interface LookParts extends HandInParts {
  readonly config: CurrentConfig;
  readonly onError: (error: BerthError) => void;
}

/** What a schedule counts by; when it changes, planned times count from that moment on. */
export function definitionOf({ cron, timeZone, project }: ScheduleConfig): string {
  return JSON.stringify([cron, timeZone, project]);
}

/**
 * One look at all schedules of the configuration: pauses those that failed too often, decides what is due, hands it in.
 * It may run any number of times, on any number of replicas at once, and at any time later: nothing fires twice by it.
 * A failure of one schedule does not hold up the others.
 */
export async function lookAtSchedules(parts: LookParts): Promise<void> {
  const revision = parts.config.current();
  for (const schedule of revision.config.schedules) {
    try {
      await lookAt(parts, revision, schedule);
    } catch (error) {
      parts.onError(asBerthError(error));
    }
  }
  // A replica with an older configuration does not know what is there.
  if ((await newestRevisionNumber(parts.db.sql)) === revision.number) {
    await forgetSchedules(
      parts.db,
      revision.config.schedules.map(({ name }) => name),
    );
  }
}

async function lookAt(parts: LookParts, { config }: ConfigRevision, schedule: ScheduleConfig): Promise<void> {
  const { db } = parts;
  const by = schedulePrincipal(schedule.name);
  const paused = await lookAtSchedule(
    db,
    { name: schedule.name, definition: definitionOf(schedule), by },
    ({ handledToMs, hasActive, isPaused, outcomes, nowMs }) => {
      const pause = isPaused ? null : selfPause(outcomes, schedule.pauseAfterFailures);
      if (isPaused || pause !== null || !schedule.enabled) {
        return { pause: pause === null ? null : { ...pause, by }, firings: [] };
      }
      const firings = decideFirings(schedule, { handledToMs, hasActive }, nowMs);
      return {
        pause: null,
        firings: firings.map(({ leftOut, ...firing }) => ({
          ...firing,
          leftOut: leftOut === null ? null : { code: leftOut, reason: errorRegistry[leftOut].sentence },
        })),
      };
    },
  );
  if (paused !== null) {
    const repository = repositoryOf(config, schedule);
    const project = repository === null ? null : await findProject(db, repository);
    await parts.audit.record({
      by,
      byKind: 'trigger',
      tokenId: null,
      via: 'trigger',
      action: 'schedule.pause',
      object: { kind: 'schedule', id: schedule.name, projectId: project?.id ?? null },
      result: 'allowed',
      code: paused.code,
      from: { address: null, agent: null },
      requestId: null,
      details: { reason: paused.reason },
    });
  }
  await handInOpen(parts, config, schedule);
}
