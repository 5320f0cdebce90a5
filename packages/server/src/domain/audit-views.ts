import { z } from 'zod';

/** An act as the API answers it: beginning and end joined. */
export const auditActSchema = z
  .object({
    position: z.number(),
    id: z.string(),
    at: z.string(),
    by: z.string(),
    byKind: z.string(),
    tokenId: z.string().nullable(),
    via: z.string(),
    action: z.string(),
    object: z.object({ kind: z.string(), id: z.string(), projectId: z.string().nullable() }),
    result: z.enum(['allowed', 'denied', 'failed', 'open', 'unknown']),
    code: z.string().nullable(),
    from: z.object({ address: z.string().nullable(), agent: z.string().nullable() }),
    requestId: z.string().nullable(),
    details: z.record(z.string(), z.unknown()),
    endedAt: z.string().nullable(),
  })
  .meta({ id: 'AuditAct' });

/** What a verification of the record, or of one run's log, came to. */
export const auditVerdictSchema = z
  .object({
    schema: z.literal('berth.audit-verdict/v1'),
    ok: z.boolean(),
    entries: z.number(),
    seals: z.number(),
    runs: z.number(),
    events: z.number(),
    erased: z.number(),
    unsealed: z.object({
      count: z.number(),
      from: z.number().nullable(),
      oldestAt: z.string().nullable(),
    }),
    cut: z.object({ position: z.number(), before: z.string() }).nullable(),
    head: z.object({ number: z.number(), hash: z.string() }).nullable(),
    findings: z.array(
      z.object({
        problem: z.string(),
        position: z.number().optional(),
        seal: z.number().optional(),
        run: z.string().optional(),
        seq: z.number().optional(),
        sentence: z.string(),
      }),
    ),
    more: z.number(),
  })
  .meta({ id: 'AuditVerdict' });
