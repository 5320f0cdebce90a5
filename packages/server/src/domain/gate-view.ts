import { z } from 'zod';
import { gateObjectionSchema, gatePointSchema, gateProposalSchema } from './events/gate-events.ts';
import { whoMay, type GateRecord } from './gates.ts';

/** A gate as the API shows it. */
export const gateViewSchema = z
  .object({
    schema: z.literal('berth.gate/v1'),
    id: z.string(),
    run: z.string(),
    project: z.string(),
    title: z.string(),
    at: gatePointSchema,
    /** `withdrawn`: the run was cancelled meanwhile. */
    state: z.enum(['open', 'approved', 'refused', 'expired', 'withdrawn']),
    reason: z.string(),
    /** What approving waives, and nothing else. */
    objections: z.array(gateObjectionSchema),
    /** What is approved: exactly this commit and tree. Null at the start of a run. */
    proposal: gateProposalSchema.nullable(),
    /** Who may decide, as a sentence. */
    whoMay: z.string(),
    selfApproval: z.boolean(),
    openedAt: z.string(),
    expiresAt: z.string(),
    decidedBy: z.string().nullable(),
    decidedAt: z.string().nullable(),
    comment: z.string().nullable(),
  })
  .meta({ id: 'Gate' });
export type GateView = z.infer<typeof gateViewSchema>;

/** A gate of a run as the API shows it. Pure. */
export function gateView(
  gate: GateRecord,
  run: { readonly id: string; readonly project: string; readonly title: string; readonly isOpen: boolean },
): GateView {
  const { decision } = gate;
  return {
    schema: 'berth.gate/v1',
    id: gate.id,
    run: run.id,
    project: run.project,
    title: run.title,
    at: gate.at,
    state: decision?.verdict ?? (run.isOpen ? 'open' : 'withdrawn'),
    reason: gate.reason,
    objections: [...gate.objections],
    proposal: gate.proposal,
    whoMay: whoMay(gate),
    selfApproval: gate.selfApproval,
    openedAt: gate.openedAt,
    expiresAt: gate.expiresAt,
    decidedBy: decision?.by ?? null,
    decidedAt: decision?.at ?? null,
    comment: decision?.comment ?? null,
  };
}
