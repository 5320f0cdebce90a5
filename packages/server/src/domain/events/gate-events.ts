import { z } from 'zod';
import { event } from './definition.ts';

export const gatePointSchema = z.enum(['start', 'proposal', 'objection']);

export const gateVerdicts = ['approved', 'refused', 'expired'] as const;

/** An objection as it stands in a gate; approving waives those with the same code and sentence, and no other. */
export const gateObjectionSchema = z.object({ code: z.string(), sentence: z.string() });

/** Exactly what is to be approved; the commit covers base, tree and message. */
export const gateProposalSchema = z.object({
  commit: z.string(),
  tree: z.string(),
  base: z.string(),
  branch: z.string(),
  files: z.number(),
  added: z.number(),
  removed: z.number(),
});

/** A person's approval: asked for, and decided. */
export const gateEvents = {
  'gate.opened': event(
    'high',
    z.object({
      gateId: z.string(),
      at: gatePointSchema,
      reason: z.string(),
      /** Empty unless `at` is `objection`. */
      objections: z.array(gateObjectionSchema),
      /** Null before the run begins: there is nothing to look at but the task. */
      proposal: gateProposalSchema.nullable(),
      selfApproval: z.boolean(),
      /** Principal ids that may not approve without `selfApproval`: whose task it is, and who handed it in. */
      requesters: z.array(z.string()),
      expiresAt: z.string(),
    }),
    (data) => `waits for approval: ${data.reason}`,
  ),
  'gate.decided': event(
    'high',
    z.object({
      gateId: z.string(),
      verdict: z.enum(gateVerdicts),
      by: z.string(),
      comment: z.string().nullable(),
      /** The inbox entry that decided it. */
      requestId: z.string(),
    }),
    (data) =>
      data.verdict === 'expired'
        ? 'nobody decided in time'
        : `${data.verdict} by ${data.by}${data.comment === null ? '' : `: ${data.comment}`}`,
  ),
};
