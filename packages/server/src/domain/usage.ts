import { z } from 'zod';
import { budgetScopes } from './budgets.ts';
import { budgetPeriods } from './config/limits.ts';

/** What use can be told by. */
export const usageDimensions = ['project', 'principal', 'model', 'day'] as const;
export const usageDimensionSchema = z.enum(usageDimensions);
export type UsageDimension = (typeof usageDimensions)[number];

const usedSchema = z.object({
  /** Of calls whose answer was seen: the sum over the logs. */
  costUsd: z.number(),
  /** Of calls that may have been billed although their answer was never seen. Limits and budgets count it. */
  lostUsd: z.number(),
  tokens: z.object({ in: z.number(), out: z.number(), cached: z.number() }),
  lostTokens: z.number(),
  calls: z.number(),
  /** Runs that were first admitted. */
  runs: z.number(),
});

export const usageViewSchema = z
  .object({
    schema: z.literal('berth.usage/v1'),
    /** Days of UTC, both included. A call counts on the day it began. */
    from: z.string(),
    to: z.string(),
    by: z.array(usageDimensionSchema),
    /** The dearest first; of a dimension that was not asked for, and of what belongs to no model: null. */
    rows: z.array(
      usedSchema.extend({
        project: z.string().nullable(),
        principal: z.string().nullable(),
        model: z.string().nullable(),
        day: z.string().nullable(),
      }),
    ),
    /** Of everything, also of rows that were left out. */
    total: usedSchema,
    truncated: z.boolean(),
  })
  .meta({ id: 'Usage' });
export type UsageView = z.infer<typeof usageViewSchema>;

export const budgetsViewSchema = z
  .object({
    schema: z.literal('berth.budgets/v1'),
    budgets: z.array(
      z.object({
        scope: z.enum(budgetScopes),
        /** Name of the project, id of the principal; empty for the installation. */
        name: z.string(),
        per: z.enum(budgetPeriods),
        amount: z.enum(['costUsd', 'tokens', 'runs']),
        used: z.number(),
        /** For model calls under way. */
        reserved: z.number(),
        cap: z.number(),
        from: z.string(),
        until: z.string(),
      }),
    ),
  })
  .meta({ id: 'Budgets' });
export type BudgetsView = z.infer<typeof budgetsViewSchema>;
