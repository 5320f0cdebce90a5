import { z } from 'zod';
import { runLimitsSchema } from '../limits.ts';

/** At once; absent: no cap of its own. */
export const capsSchema = z.strictObject({
  total: z.int().min(1).max(100_000).optional(),
  perProject: z.int().min(1).max(100_000).optional(),
  perPrincipal: z.int().min(1).max(100_000).optional(),
});

/** Days, weeks (from Monday) and months are those of UTC. */
export const budgetPeriods = ['day', 'week', 'month'] as const;

/** What may be spent in a period. At least one of the three amounts is given. */
export const budgetSchema = z
  .strictObject({
    per: z.enum(budgetPeriods),
    costUsd: z.number().nonnegative().max(1_000_000).optional(),
    tokens: z.int().nonnegative().optional(),
    runs: z.int().nonnegative().optional(),
  })
  .refine(
    (budget) => budget.costUsd !== undefined || budget.tokens !== undefined || budget.runs !== undefined,
    {
      message: 'one of costUsd, tokens, runs',
    },
  );
export type BudgetConfig = z.infer<typeof budgetSchema>;

export const limitsSchema = z.strictObject({
  /** Of each run: the default, and the most a task or blueprint may ask for. */
  run: runLimitsSchema.partial().default({}),
  caps: capsSchema.default({}),
  /** For the installation as a whole. */
  budgets: z.array(budgetSchema).default([]),
  /** For each project that has none of its own. */
  projectBudgets: z.array(budgetSchema).default([]),
  /** For each principal (whose tasks they are). */
  principalBudgets: z.array(budgetSchema).default([]),
});
export type LimitsConfig = z.infer<typeof limitsSchema>;
