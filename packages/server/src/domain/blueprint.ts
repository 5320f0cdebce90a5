import { z } from 'zod';
import { egressRuleSchema } from './egress.ts';
import { runLimitsSchema } from './limits.ts';
import { proposalPolicySchema } from './proposal-policy.ts';

const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'lower-case letters, digits, . _ - (at most 64)');

/** A deterministic command. `run` goes to a shell in the sandbox as one script. */
export const commandSchema = z.strictObject({
  run: z.string().min(1).max(16_384),
  /** Relative to the repository's root; may not leave it. */
  cwd: z.string().default('.'),
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string()).default({}),
  timeoutMinutes: z.number().positive().max(240).default(10),
  egress: z.array(egressRuleSchema).default([]),
});
export type Command = z.infer<typeof commandSchema>;

/** A command with a verdict: exit code 0 passes. */
export const checkSchema = commandSchema.extend({
  name,
  kind: z.enum(['format', 'lint', 'test', 'build']),
  /** Mends what it can without a model; runs before `run`, and only outside `verify`. */
  fix: z.string().min(1).max(16_384).optional(),
  /** The narrower form for changed files, which it gets as `"$@"`; `verify` always uses `run`. */
  affected: z.string().min(1).max(16_384).optional(),
});
export type Check = z.infer<typeof checkSchema>;

export const stepSchema = z.discriminatedUnion('step', [
  z.strictObject({ step: z.literal('prefetch') }),
  z.strictObject({ step: z.literal('setup') }),
  z.strictObject({ step: z.literal('agent'), instructions: z.string().max(32_768).optional() }),
  z.strictObject({ step: z.literal('check'), only: z.array(name).optional() }),
  z.strictObject({ step: z.literal('judge') }),
  z.strictObject({ step: z.literal('verify') }),
  z.strictObject({ step: z.literal('propose') }),
]);
export type Step = z.infer<typeof stepSchema>;
export type StepKind = Step['step'];

const defaultSteps: Step[] = [
  { step: 'prefetch' },
  { step: 'setup' },
  { step: 'agent' },
  { step: 'check' },
  { step: 'verify' },
  { step: 'propose' },
];

export const blueprintSchema = z.strictObject({
  version: z.literal(1),
  name: name.default('default'),
  /** Prepares a fresh clone; runs in the work sandbox and again in the verify sandbox. */
  setup: z.array(commandSchema).default([]),
  checks: z.array(checkSchema).default([]),
  steps: z
    .array(z.preprocess((value) => (typeof value === 'string' ? { step: value } : value), stepSchema))
    .min(1)
    .default(defaultSteps),
  /** Can only narrow the run's limits. */
  limits: runLimitsSchema.partial().default({}),
  /** Paths (git pathspec globs) that a proposal may not touch. */
  protectedPaths: z.array(z.string().min(1).max(512)).max(500).default([]),
  /** What a change may hold; counts where it is stricter than the configuration. */
  policy: proposalPolicySchema.optional(),
});
export type Blueprint = z.infer<typeof blueprintSchema>;

/** Where a blueprint was read from, for the record. */
export const blueprintSourceSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('file'), path: z.string() }),
  z.strictObject({ kind: z.literal('repository'), path: z.string(), commit: z.string() }),
  z.strictObject({ kind: z.literal('configuration'), revision: z.number() }),
  z.strictObject({ kind: z.literal('detected'), ecosystems: z.array(z.string()) }),
]);
export type BlueprintSource = z.infer<typeof blueprintSourceSchema>;

/** Whether walking it needs a model. */
export function needsModel(blueprint: Blueprint): boolean {
  return blueprint.steps.some((step) => step.step === 'agent' || step.step === 'judge');
}
