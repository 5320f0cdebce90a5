import type { Config, ScheduleConfig } from '../../domain/config/index.ts';
import { asBerthError, BerthError } from '../../domain/errors/index.ts';
import type { AuditSink } from '../../domain/ports/audit.ts';
import type { ControlPlane } from '../../domain/ports/control-plane.ts';
import { runOptionsSchema } from '../../domain/task.ts';
import type { Database } from '../../store/database.ts';
import { findProject } from '../../store/runs/find-project.ts';
import { activeRunsOf, openFirings, settleFiring } from '../../store/schedules/firings.ts';

export interface HandInParts {
  readonly db: Database;
  readonly controlPlane: Pick<ControlPlane, 'createTask' | 'cancel'>;
  readonly audit: AuditSink;
}

/** Principal whose the runs of a schedule are: nobody signs in as it, so that only approvers and above act on them. */
export function schedulePrincipal(name: string): string {
  return `schedule:${name}`;
}

export function repositoryOf(config: Config, schedule: ScheduleConfig): string | null {
  return config.projects.find((project) => project.name === schedule.project)?.repository ?? null;
}

/**
 * Hands in what was decided for a schedule, its own leftovers and those of replicas that died included. The key of
 * each task is the schedule and the planned time: two that hand in the same one make one task. What cannot succeed
 * later either is settled as refused; the rest stays open for the next look.
 */
export async function handInOpen(
  parts: HandInParts,
  config: Config,
  schedule: ScheduleConfig,
): Promise<void> {
  const { db } = parts;
  const repository = repositoryOf(config, schedule);
  for (const { plannedAt, kind } of await openFirings(db.sql, schedule.name)) {
    const at = { schedule: schedule.name, plannedAt, kind };
    try {
      if (repository === null) {
        throw new BerthError('NOT_FOUND', `There is no project ${schedule.project} any more.`);
      }
      if (schedule.overlap === 'replace' && kind !== 'asked') await endEarlier(parts, schedule.name);
      const taskId = await handIn(parts, repository, schedule, plannedAt, kind);
      await settleFiring(db.sql, at, { taskId });
    } catch (error) {
      const known = asBerthError(error);
      if (known.retryable) throw error;
      await settleFiring(db.sql, at, { code: known.code, reason: known.message });
    }
  }
}

async function handIn(
  { db, controlPlane, audit }: HandInParts,
  repository: string,
  schedule: ScheduleConfig,
  plannedAt: Date,
  kind: 'planned' | 'missed' | 'asked',
): Promise<string> {
  const principal = schedulePrincipal(schedule.name);
  const project = await findProject(db, repository);
  const key = `${kind === 'asked' ? 'asked' : 'planned'}:${schedule.name}:${plannedAt.toISOString()}`;
  const act = await audit.begin({
    by: principal,
    byKind: 'trigger',
    tokenId: null,
    via: 'trigger',
    action: 'task.create',
    object: { kind: 'schedule', id: schedule.name, projectId: project?.id ?? null },
    from: { address: null, agent: null },
    requestId: null,
    details: { plannedAt: plannedAt.toISOString(), kind },
  });
  try {
    const { task, run } = await controlPlane.createTask({
      repository,
      text: schedule.task,
      options: runOptionsSchema.parse({ base: schedule.base ?? null, limits: schedule.limits }),
      origin: { kind: 'schedule', by: principal },
      owner: principal,
      idempotencyKey: key,
    });
    await act.end({ result: 'allowed', code: null, details: { task: task.id, run: run.id } });
    return task.id;
  } catch (error) {
    await act.end({ result: 'failed', code: asBerthError(error).code }).catch(() => undefined);
    throw error;
  }
}

/** Ends the runs of earlier firings; one that ended meanwhile needs no ending. */
async function endEarlier({ db, controlPlane }: HandInParts, name: string): Promise<void> {
  for (const runId of await activeRunsOf(db.sql, name)) {
    await controlPlane.cancel(runId, schedulePrincipal(name)).catch((error: unknown) => {
      if (asBerthError(error).code !== 'CONFLICT') throw error;
    });
  }
}
