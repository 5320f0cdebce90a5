import { decide, triggerPrincipal } from '../domain/access.ts';
import type { CurrentConfig, TriggerConfig } from '../domain/config/index.ts';
import { asBerthError, BerthError } from '../domain/errors/index.ts';
import type { AuditSink } from '../domain/ports/audit.ts';
import type { ControlPlane } from '../domain/ports/control-plane.ts';
import { runOptionsSchema, type Origin } from '../domain/task.ts';
import type { Database } from '../store/database.ts';
import { findProject } from '../store/runs/find-project.ts';

export interface TriggerParts {
  readonly db: Database;
  readonly config: CurrentConfig;
  readonly controlPlane: Pick<ControlPlane, 'createTask'>;
  readonly audit: AuditSink;
}

/** Where a trigger hands in, as the configuration says now. */
export interface TriggerPlace {
  readonly trigger: TriggerConfig;
  readonly projectId: string;
  readonly repository: string;
}

/**
 * A trigger and its project while both are there and it is switched on.
 * @throws BerthError `TRIGGER_GONE`
 */
export async function triggerPlace(
  { db, config }: Pick<TriggerParts, 'db' | 'config'>,
  name: string,
): Promise<TriggerPlace> {
  const { triggers, projects } = config.current().config;
  const trigger = triggers.find((one) => one.name === name);
  if (trigger === undefined || !trigger.enabled) throw new BerthError('TRIGGER_GONE');
  const repository = projects.find((project) => project.name === trigger.project)?.repository;
  const project = repository === undefined ? null : await findProject(db, repository);
  if (project === null)
    throw new BerthError('TRIGGER_GONE', `There is no project ${trigger.project} any more.`);
  return { trigger, projectId: project.id, repository: project.repository };
}

/**
 * Hands a task in as the trigger, with the right it has at this moment. The same key again, of the same trigger, answers
 * the same task.
 * @throws BerthError `TRIGGER_GONE`, `FORBIDDEN` and those of `createTask`
 */
export async function handIn(
  parts: TriggerParts,
  name: string,
  delivery: { readonly id: string },
  task: {
    readonly key: string;
    readonly title: string;
    readonly text: string;
    readonly origin: Extract<Origin['kind'], 'forge' | 'webhook'>;
    readonly url: string | null;
  },
): Promise<string> {
  const { controlPlane, audit } = parts;
  const { trigger, projectId, repository } = await triggerPlace(parts, name);
  const principal = triggerPrincipal(trigger.name, projectId);
  if (decide(principal, 'task.create', { projectId, ownerId: principal.id }) !== 'granted') {
    throw new BerthError('FORBIDDEN');
  }
  const act = await audit.begin({
    by: principal.id,
    byKind: 'trigger',
    tokenId: null,
    via: principal.via,
    action: 'task.create',
    object: { kind: 'trigger', id: trigger.name, projectId },
    from: { address: null, agent: null },
    requestId: null,
    details: { delivery: delivery.id },
  });
  try {
    const { task: made, run } = await controlPlane.createTask({
      repository,
      text: task.text,
      title: task.title,
      options: runOptionsSchema.parse({ limits: trigger.limits }),
      origin: { kind: task.origin, by: principal.id, url: task.url },
      owner: principal.id,
      idempotencyKey: task.key,
    });
    await act.end({ result: 'allowed', code: null, details: { task: made.id, run: run.id } });
    return made.id;
  } catch (error) {
    await act.end({ result: 'failed', code: asBerthError(error).code }).catch(() => undefined);
    throw error;
  }
}
