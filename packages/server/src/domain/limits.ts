import { z } from 'zod';

/** Limits of one run. `steps` counts model calls; `minutes` counts time in which the run was not paused or queued. */
export const runLimitsSchema = z.strictObject({
  costUsd: z.number().positive().max(10_000),
  tokens: z.int().positive(),
  steps: z.int().positive().max(10_000),
  minutes: z
    .number()
    .positive()
    .max(7 * 24 * 60),
  /** Repair rounds after failed checks. */
  rounds: z.int().min(0).max(2),
});
export type RunLimits = z.infer<typeof runLimitsSchema>;
export type LimitName = keyof RunLimits;

export const defaultRunLimits: RunLimits = {
  costUsd: 2,
  tokens: 1_500_000,
  steps: 120,
  minutes: 30,
  rounds: 2,
};

/** What a run has used so far, by the names of its limits. */
export type RunUse = Readonly<Record<LimitName, number>>;

/** The narrower of both, limit by limit: a blueprint can only narrow what the project allows. */
export function narrow(allowed: RunLimits, wanted: Partial<RunLimits>): RunLimits {
  return {
    costUsd: Math.min(allowed.costUsd, wanted.costUsd ?? Infinity),
    tokens: Math.min(allowed.tokens, wanted.tokens ?? Infinity),
    steps: Math.min(allowed.steps, wanted.steps ?? Infinity),
    minutes: Math.min(allowed.minutes, wanted.minutes ?? Infinity),
    rounds: Math.min(allowed.rounds, wanted.rounds ?? Infinity),
  };
}
