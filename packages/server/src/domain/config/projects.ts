import { z } from 'zod';
import { configEgressRuleSchema } from '../egress.ts';
import { runLimitsSchema } from '../limits.ts';
import { egressForSchema } from './egress.ts';
import { budgetSchema } from './limits.ts';
import { projectProposalsSchema } from './proposals.ts';
import { credentialSchema, forwardEnvSchema } from './secrets.ts';
import { durationSchema, nameSchema, secretReferenceSchema } from './text.ts';

export const modelSlots = ['primary', 'fast', 'condense', 'judge'] as const;

/** Models in fallback order, each `<provider>/<model>`, by slot. */
export const slotsSchema = z.partialRecord(
  z.enum(modelSlots),
  z.array(z.string().regex(/^[^/\s]+\/\S+$/)).min(1),
);

export const providerSchema = z.strictObject({
  kind: z.enum(['anthropic', 'openai', 'openai-compatible']),
  baseUrl: z.url({ protocol: /^https?$/ }).optional(),
  apiKey: secretReferenceSchema.optional(),
});

export const modelsSchema = z.strictObject({
  providers: z.record(nameSchema, providerSchema).default({}),
  slots: slotsSchema.default({}),
  /** US dollars per million tokens, by `<provider>/<model>`; `flat`: costs nothing per token. */
  prices: z
    .record(
      z.string(),
      z.union([
        z.literal('flat'),
        z.strictObject({
          input: z.number().nonnegative(),
          output: z.number().nonnegative(),
          cacheRead: z.number().nonnegative().optional(),
          cacheWrite: z.number().nonnegative().optional(),
        }),
      ]),
    )
    .default({}),
  contextTokens: z.record(z.string(), z.int().positive()).default({}),
});
export type ModelsSection = z.infer<typeof modelsSchema>;

/** What must be the case before a person has to approve. */
export const gatePoints = ['start', 'proposal', 'objection'] as const;
export type GatePoint = (typeof gatePoints)[number];

export const gatesSchema = z.strictObject({
  /** `start`: before the run begins; `proposal`: before it is pushed; `objection`: when judge or policy objects. */
  at: z.array(z.enum(gatePoints)).default([]),
  /** Whether the one whose task it is may approve. */
  selfApproval: z.boolean().default(true),
  /** Unanswered for so long, the run ends with `GATE_EXPIRED`. */
  expiresAfter: durationSchema.default('3d'),
});
export type GatesConfig = z.infer<typeof gatesSchema>;

export const projectConfigSchema = z.strictObject({
  name: nameSchema,
  /** A URL git understands, or an absolute path. */
  repository: z.string().min(1).max(4_096),
  description: z.string().max(500).default(''),
  /** Its code host; absent: the one whose address the repository's begins with, else Berth's own local forge. */
  forge: nameSchema.optional(),
  /** A blueprint in server configuration, instead of the repository's. */
  blueprint: z.string().max(262_144).optional(),
  slots: slotsSchema.default({}),
  limits: runLimitsSchema.partial().default({}),
  /** Runs at once. */
  cap: z.int().min(1).max(100_000).optional(),
  budgets: z.array(budgetSchema).optional(),
  /** Hosts that its blueprint may open; absent: whatever the installation allows. */
  egress: z.array(configEgressRuleSchema).optional(),
  /** Rules that its steps get beside those of its blueprint, within the ceilings. Absent: none. */
  egressFor: egressForSchema.prefault({}),
  sandbox: nameSchema.optional(),
  /** Put on requests by the worker; the sandbox has a placeholder. */
  credentials: z.array(credentialSchema).max(50).default([]),
  /** Values that its sandboxes get as they are: whoever runs code there can read them. */
  forwardEnv: z.array(forwardEnvSchema).max(50).default([]),
  /** Whether `SANDBOX_ENV_NAME` of the worker's environment reaches its sandboxes as `NAME`. */
  sandboxEnv: z.boolean().default(false),
  /** Whether what `setup` made on the default branch is kept for later runs. Absent: as its sandbox profile says. */
  snapshots: z.boolean().optional(),
  gates: gatesSchema.optional(),
  proposals: projectProposalsSchema.optional(),
  priority: z.int().min(-100).max(100).default(0),
});
export type ProjectConfig = z.infer<typeof projectConfigSchema>;
