import { z } from 'zod';
import { blueprintSchema, blueprintSourceSchema } from '../blueprint.ts';
import { egressForSchema } from '../config/egress.ts';
import { runLimitsSchema } from '../limits.ts';
import { outcomes } from '../status.ts';
import { runOptionsSchema } from '../task.ts';
import { event } from './definition.ts';
import { gatePointSchema } from './gate-events.ts';
import { checkpointSchema } from './work-events.ts';

/** What a run that was made from another takes over from it. */
export const runParentSchema = z.object({
  kind: z.enum(['retry', 'branch-off']),
  run: z.string(),
  /** The entry of the parent's log that it begins after. */
  seq: z.number(),
  /** The pinned base; null: the newest one is taken. */
  base: z.object({ ref: z.string(), commit: z.string() }).nullable(),
  /** Where earlier runs of the same task left its branch. */
  pushed: z.string().nullable(),
  /** The working tree it begins with; null: the base's. */
  checkpoint: checkpointSchema.nullable(),
  /** What its agent is told of what came before; hostile text. */
  handover: z.string().nullable(),
  /** Principal that asked for it; absent in older logs. */
  by: z.string().optional(),
});
export type RunParent = z.infer<typeof runParentSchema>;

/** The life of the run itself. */
export const runEvents = {
  'run.created': event(
    'normal',
    z.object({
      taskId: z.string(),
      projectId: z.string(),
      repository: z.string(),
      title: z.string(),
      text: z.string(),
      branch: z.string(),
      attempt: z.number(),
      options: runOptionsSchema,
      /** Revision of the configuration that the run goes by; 0 or absent: nothing was configured. */
      configRevision: z.int().min(0).optional(),
      parent: runParentSchema.optional(),
    }),
    (data) => `created: ${data.title}`,
  ),
  'run.owned': event(
    'low',
    z.object({ worker: z.string(), epoch: z.number() }),
    (data) => `owned by ${data.worker}`,
  ),
  /** The base is pinned and the blueprint chosen; from here on the plan does not change. */
  'run.planned': event(
    'normal',
    z.object({
      base: z.object({ ref: z.string(), commit: z.string() }),
      blueprint: blueprintSchema,
      source: blueprintSourceSchema,
      limits: runLimitsSchema,
      /** Models by slot, as shown; empty when the blueprint needs none. */
      models: z.record(z.string(), z.array(z.string())),
      simulated: z.boolean(),
      /** What a person has to approve; absent: nothing. */
      gates: z
        .object({
          at: z.array(gatePointSchema),
          selfApproval: z.boolean(),
          expiresAfterMs: z.number(),
          requesters: z.array(z.string()),
        })
        .optional(),
      /** Rules that the configuration gives to steps, beside those of the blueprint; absent: none. */
      egress: egressForSchema.optional(),
    }),
    (data) =>
      `planned on ${data.base.ref} (${data.base.commit.slice(0, 10)}), blueprint ${data.blueprint.name}`,
  ),
  'run.paused': event(
    'high',
    z.object({ by: z.string(), reason: z.string() }),
    (data) => `paused: ${data.reason}`,
  ),
  'run.resumed': event(
    'high',
    z.object({ by: z.string(), limits: runLimitsSchema.partial() }),
    (data) => `resumed by ${data.by}`,
  ),
  'run.cancel-requested': event('high', z.object({ by: z.string() }), (data) => `cancelled by ${data.by}`),
  /** A worker died or let go, and another (or itself, restarted) goes on. */
  'run.recovered': event(
    'normal',
    z.object({ interruptedCalls: z.array(z.string()) }),
    () => 'goes on after an interruption',
  ),
  'run.ended': event(
    'high',
    z.object({
      outcome: z.enum(outcomes),
      code: z.string().nullable(),
      sentence: z.string(),
      next: z.string().nullable(),
    }),
    (data) => `${data.outcome.replace('_', ' ')}: ${data.sentence}`,
  ),
  'message.received': event(
    'high',
    z.object({
      messageId: z.string(),
      by: z.string(),
      text: z.string(),
      mode: z.enum(['now', 'after_step']),
    }),
    (data) => `${data.by}: ${data.text}`,
  ),
  'limit.warned': event(
    'high',
    z.object({ limit: z.string(), used: z.number(), cap: z.number(), percent: z.number() }),
    (data) => `${data.percent} % of limit ${data.limit} used`,
  ),
};
