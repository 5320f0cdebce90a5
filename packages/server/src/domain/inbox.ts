import { z } from 'zod';
import { runLimitsSchema } from './limits.ts';

/** What others ask of a run; its owner turns each entry into events exactly once. */
export const inboxRequestSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('message'),
    text: z.string().min(1).max(100_000),
    mode: z.enum(['now', 'after_step']),
  }),
  z.strictObject({ kind: z.literal('pause'), reason: z.string() }),
  z.strictObject({ kind: z.literal('resume'), limits: runLimitsSchema.partial() }),
  z.strictObject({ kind: z.literal('cancel') }),
  z.strictObject({
    kind: z.literal('gate'),
    gateId: z.string(),
    verdict: z.enum(['approved', 'refused', 'expired']),
    comment: z.string().max(2_000).nullable(),
    /** Whoever else acts through it: who made the token that a service came with. */
    alsoBy: z.array(z.string()).default([]),
  }),
]);
export type InboxRequest = z.infer<typeof inboxRequestSchema>;

export interface InboxEntry {
  /** Unique; posting the same id again changes nothing. */
  readonly id: string;
  readonly runId: string;
  /** The principal that asked. */
  readonly by: string;
  readonly postedAt: string;
  readonly request: InboxRequest;
}
