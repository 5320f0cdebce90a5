import { decide } from '../blueprints/index.ts';
import { blueprintSchema } from '../domain/blueprint.ts';
import type { PlannedGates } from '../domain/gates.ts';
import type { EventSink } from '../domain/ports/event-sink.ts';
import { defaultRunLimits } from '../domain/limits.ts';
import { runOptionsSchema } from '../domain/task.ts';
import type { OwnedWorkbench } from '../sandboxes/workbench.ts';
import { liveHub } from '../runs/live-hub.ts';
import { type OwnRunParts, projectRun } from '../runs/own-run.ts';
import { startWorker, type Worker } from '../runs/worker.ts';
import type { Database } from '../store/database.ts';
import { createTask } from '../store/runs/create-task.ts';
import { ensureProject } from '../store/runs/ensure-project.ts';

const blueprint = blueprintSchema.parse({ version: 1, name: 'gated', steps: ['setup', 'propose'] });

/** A task of `owner`, in a project of its own, with its run. */
export async function makeGatedRun(
  db: Database,
  owner: string,
): Promise<{ runId: string; projectId: string }> {
  const project = await ensureProject(db, { name: 'gated', repository: '/srv/gated.git' });
  const { runId } = await createTask(db, {
    project,
    text: 'Fix the flaky date test',
    origin: { kind: 'api', by: owner, url: null },
    options: runOptionsSchema.parse({}),
    projection: projectRun,
    redact: (value) => value,
  });
  return { runId, projectId: project.id };
}

/**
 * A worker whose runs have a plan with these gates and steps that do nothing: everything but sandboxes, git and models is
 * the real thing.
 */
export function gatedWorker(
  db: Database,
  home: string,
  gates: PlannedGates,
  options: {
    readonly maxRuns?: number;
    readonly perform?: (key: string, events: EventSink) => Promise<void>;
  } = {},
): Worker {
  const workbench = {
    release: async () => undefined,
    detach: async () => undefined,
    close: () => undefined,
    checkpoint: async () => ({ tree: 't', proposalTree: 't' }),
  } as unknown as OwnedWorkbench;
  const equip: OwnRunParts['equip'] = async (base) => ({
    workbench,
    limits: {} as never,
    advance: {
      decide,
      plan: async () => {
        await base.events.append({
          type: 'run.planned',
          data: {
            base: { ref: 'main', commit: 'b'.repeat(40) },
            blueprint,
            source: { kind: 'detected', ecosystems: [] },
            limits: defaultRunLimits,
            models: {},
            simulated: false,
            gates,
          },
        });
      },
      perform: async (_context, { key, step, round }) => {
        await base.events.append({ type: 'step.started', data: { key, kind: step.step, round } });
        await options.perform?.(key, base.events);
        const outcome = { outcome: 'skipped', code: null, sentence: 'nothing', durationMs: 1 } as const;
        await base.events.append({ type: 'step.ended', data: { key, kind: step.step, ...outcome } });
        return outcome;
      },
    },
  });
  return startWorker({
    db,
    home,
    hub: liveHub(),
    redact: (value) => value,
    equip,
    maxRuns: options.maxRuns ?? 4,
    onError: () => undefined,
  });
}
