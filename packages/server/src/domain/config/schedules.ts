import { z } from 'zod';
import { runLimitsSchema } from '../limits.ts';
import { nameSchema } from './text.ts';

export const scheduleSchema = z.strictObject({
  name: nameSchema,
  project: nameSchema,
  /** Text of the task that each firing hands in. */
  task: z.string().min(1).max(100_000),
  /** Five fields: minute hour day-of-month month day-of-week. */
  cron: z.string().min(9).max(200),
  /** Of the IANA database. */
  timeZone: z.string().min(1).max(100).default('UTC'),
  enabled: z.boolean().default(true),
  /** While an earlier run of it is not over: leave this one out, hand it in all the same, or end the earlier. */
  overlap: z.enum(['skip', 'allow', 'replace']).default('skip'),
  /** Firings that nobody was there for: forget them, or make up for the last one. */
  missed: z.enum(['skip', 'once']).default('skip'),
  /** After so many failures in a row it pauses itself; 0: never. */
  pauseAfterFailures: z.int().min(0).max(1_000).default(3),
  base: z.string().min(1).max(500).optional(),
  limits: runLimitsSchema.partial().default({}),
});
export type ScheduleConfig = z.infer<typeof scheduleSchema>;
