import { z } from 'zod';
import { scheduleSchema } from '../../domain/config/index.ts';
import { runLimitsSchema } from '../../domain/limits.ts';
import { runStates } from '../../domain/status.ts';

const firingSchema = z
  .object({
    /** The planned time, or when somebody asked for it. */
    plannedAt: z.string(),
    kind: z.enum(['planned', 'missed', 'asked']),
    outcome: z.enum(['open', 'handed_in', 'left_out', 'refused']),
    taskId: z.string().nullable(),
    /** The newest run of its task, which speaks for it. */
    runId: z.string().nullable(),
    state: z.enum(runStates).nullable(),
    code: z.string().nullable(),
    reason: z.string().nullable(),
    by: z.string(),
  })
  .meta({ id: 'ScheduleFiring' });

/** A schedule as the API answers it. */
export const scheduleViewSchema = z
  .object({
    schema: z.literal('berth.schedule/v1'),
    /** Its name. */
    id: z.string(),
    ...scheduleSchema.shape,
    enabled: z.boolean(),
    timeZone: z.string(),
    overlap: z.enum(['skip', 'allow', 'replace']),
    missed: z.enum(['skip', 'once']),
    pauseAfterFailures: z.number(),
    base: z.string().nullable(),
    limits: runLimitsSchema.partial(),
    /** What comes from the file is changed there. */
    source: z.enum(['file', 'database']),
    paused: z.object({ at: z.string(), by: z.string(), code: z.string(), reason: z.string() }).nullable(),
    failuresInRow: z.number(),
    /** The next three planned times, in UTC and as clocks in its zone show them; none while it is off. */
    next: z.array(z.object({ at: z.string(), local: z.string() })),
    /** The last ten firings, newest first. */
    last: z.array(firingSchema),
  })
  .meta({ id: 'Schedule' });
export type ScheduleView = z.infer<typeof scheduleViewSchema>;
