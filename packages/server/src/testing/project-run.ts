import type { NewEvent } from '../domain/events/index.ts';
import { runOptionsSchema } from '../domain/task.ts';
import type { Database } from '../store/database.ts';
import { createTask, type CreatedTask } from '../store/runs/create-task.ts';
import { ensureProject } from '../store/runs/ensure-project.ts';
import type { Project } from '../store/runs/projection.ts';

/** A plain projection for tests that do not care about words. */
export const testProjection: Project = (state) => ({
  status: {
    state: state.ended?.outcome ?? (state.paused === null ? 'running' : 'paused'),
    code: null,
    reason: `entry ${state.seq}`,
    next: null,
    since: state.createdAt ?? '2026-01-01T00:00:00.000Z',
    lastEventAt: state.lastEventAt,
    step: null,
    round: null,
  },
  use: state.use,
  pullRequest: state.pullRequest,
  gate: state.gate,
});

/** A task with its first run. */
export async function makeRun(
  db: Database,
  options: { readonly repository?: string; readonly text?: string; readonly idempotencyKey?: string } = {},
): Promise<CreatedTask> {
  const project = await ensureProject(db, {
    name: 'sample',
    repository: options.repository ?? '/srv/sample.git',
  });
  return createTask(db, {
    project,
    text: options.text ?? 'Fix the flaky date test',
    origin: { kind: 'cli', by: 'test', url: null },
    options: runOptionsSchema.parse({}),
    projection: testProjection,
    redact: (value) => value,
    ...(options.idempotencyKey === undefined ? {} : { idempotencyKey: options.idempotencyKey }),
  });
}

/** An event that changes little. */
export function note(text: string): NewEvent {
  return { type: 'agent.told', data: { step: '2:agent', kind: 'nudge', text } };
}
