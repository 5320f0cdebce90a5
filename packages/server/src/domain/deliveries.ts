import { z } from 'zod';

/** `forge`: by the webhook of a code host; `trigger`: by one of an operator's own. */
export const deliveryEntrances = ['forge', 'trigger'] as const;
export type DeliveryEntrance = (typeof deliveryEntrances)[number];

/**
 * `waiting` and `queued`: to be worked off. `done`: it made a task or belongs to one. `ignored`: nothing is to be made
 * of it, and why. `dead`: given up; it can be run again.
 */
export const deliveryStates = ['waiting', 'queued', 'done', 'ignored', 'dead'] as const;
export type DeliveryState = (typeof deliveryStates)[number];

/** A delivery as people see it; its body only where one is looked at alone. */
export const deliveryViewSchema = z
  .object({
    schema: z.literal('berth.delivery/v1'),
    id: z.string(),
    entrance: z.enum(deliveryEntrances),
    /** Of the forge or trigger it came in by. */
    name: z.string(),
    /** How its sender names it, or the digest of its body. */
    externalId: z.string(),
    event: z.string(),
    /** What it is about: `acme/web#12`. */
    subject: z.string().nullable(),
    project: z.string().nullable(),
    bytes: z.number(),
    receivedAt: z.string(),
    state: z.enum(deliveryStates),
    attempts: z.number(),
    /** How often it was worked off, counting those somebody asked for. */
    round: z.number(),
    code: z.string().nullable(),
    reason: z.string().nullable(),
    notes: z.array(z.string()),
    trigger: z.string().nullable(),
    taskId: z.string().nullable(),
    settledAt: z.string().nullable(),
  })
  .meta({ id: 'Delivery' });
export type DeliveryView = z.infer<typeof deliveryViewSchema>;

/** What would be made of a body, without making it. */
export const triggerTrialSchema = z
  .object({
    schema: z.literal('berth.trigger-trial/v1'),
    trigger: z.string(),
    project: z.string(),
    wouldStart: z.boolean(),
    code: z.string().nullable(),
    reason: z.string().nullable(),
    title: z.string().nullable(),
    /** Text of the task. */
    text: z.string().nullable(),
    notes: z.array(z.string()),
  })
  .meta({ id: 'TriggerTrial' });
export type TriggerTrial = z.infer<typeof triggerTrialSchema>;

export const triggerViewSchema = z
  .object({
    schema: z.literal('berth.trigger/v1'),
    name: z.string(),
    kind: z.enum(['forge', 'webhook']),
    project: z.string(),
    enabled: z.boolean(),
    /** Who its tasks are of. */
    principal: z.string(),
    /** Where its deliveries are to be sent; null where the forge has no webhook secret. */
    path: z.string().nullable(),
    /** What it waits for, in words. */
    on: z.string(),
  })
  .meta({ id: 'Trigger' });
export type TriggerView = z.infer<typeof triggerViewSchema>;

/** Principal whose the tasks of a trigger are. */
export function triggerPrincipalId(name: string): string {
  return `trigger:${name}`;
}
