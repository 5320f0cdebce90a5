import { z } from 'zod';

export const runStates = [
  'queued',
  'running',
  'paused',
  'needs_human',
  'succeeded',
  'failed',
  'cancelled',
] as const;
export type RunStateName = (typeof runStates)[number];
export const outcomes = ['succeeded', 'failed', 'needs_human', 'cancelled'] as const;
export type Outcome = (typeof outcomes)[number];

/** The one server-made status of a task or run; every surface shows these words as they are. */
export const statusSchema = z.object({
  state: z.enum(runStates),
  code: z.string().nullable(),
  reason: z.string(),
  next: z.string().nullable(),
  since: z.string(),
  lastEventAt: z.string().nullable(),
  step: z.string().nullable(),
  round: z.object({ n: z.number(), of: z.number() }).nullable(),
  queue: z.object({ position: z.number(), etaSec: z.number().nullable() }).nullable(),
});
export type Status = z.infer<typeof statusSchema>;

export function isOutcome(state: RunStateName): state is Outcome {
  return (outcomes as readonly string[]).includes(state);
}
