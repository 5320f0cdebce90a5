import { z } from 'zod';
import { limitViewSchema, runViewSchema } from './views.ts';
import { statusSchema } from './status.ts';
import { originSchema } from './task.ts';

/** What lists and the parts of a run's page are answered with; additive within v1. */

const changesSchema = z.object({ files: z.number(), added: z.number(), removed: z.number() });
/** A step as the strip of a row draws it. */
const cellSchema = z.object({ kind: z.string(), state: z.string(), ms: z.number().nullable() });
export type StripCell = z.infer<typeof cellSchema>;

/** A run in a list; at most 1 kB. */
export const runRowSchema = runViewSchema
  .pick({
    id: true,
    task: true,
    title: true,
    project: true,
    branch: true,
    attempt: true,
    parent: true,
    status: true,
    costUsd: true,
    tokens: true,
    pullRequest: true,
    seq: true,
    createdAt: true,
    endedAt: true,
  })
  .extend({
    schema: z.literal('berth.run-row/v1'),
    /** Who handed the task in, and from where. */
    origin: originSchema,
    changes: changesSchema.nullable(),
    strip: z.array(cellSchema),
  })
  .meta({ id: 'RunRow' });
export type RunRow = z.infer<typeof runRowSchema>;

/** A task in a list: the state of its newest run; at most 1 kB. */
export const taskRowSchema = z
  .object({
    schema: z.literal('berth.task-row/v1'),
    id: z.string(),
    title: z.string(),
    project: z.string(),
    origin: originSchema,
    /** Of its newest run. */
    status: statusSchema,
    run: z.string(),
    /** Runs so far. */
    attempts: z.number(),
    branch: z.string(),
    /** Of all its runs. */
    costUsd: z.number(),
    changes: changesSchema.nullable(),
    pullRequest: runViewSchema.shape.pullRequest,
    strip: z.array(cellSchema),
    createdAt: z.string(),
  })
  .meta({ id: 'TaskRow' });
export type TaskRow = z.infer<typeof taskRowSchema>;

/** An event without its payload; at most 300 bytes. */
export const eventSummarySchema = z
  .object({
    seq: z.number(),
    at: z.string(),
    type: z.string(),
    step: z.string().nullable(),
    importance: z.enum(['low', 'normal', 'high']),
    title: z.string(),
    /** True for what went wrong: a command, a check, a refused connection. */
    failed: z.boolean(),
  })
  .meta({ id: 'EventSummary' });
export type EventSummary = z.infer<typeof eventSummarySchema>;

export const markKinds = [
  'failure',
  'check',
  'egress',
  'message',
  'limit',
  'recovery',
  'checkpoint',
] as const;
export type MarkKind = (typeof markKinds)[number];

export const outlineSchema = z
  .object({
    schema: z.literal('berth.outline/v1'),
    run: z.string(),
    /** The entry it was made at. */
    seq: z.number(),
    status: statusSchema,
    /** Past and present steps, and those of the blueprint still to come. */
    steps: z.array(
      z.object({
        name: z.string(),
        kind: z.string(),
        state: z.enum(['pending', 'running', 'passed', 'failed', 'skipped', 'interrupted']),
        startedAt: z.string().nullable(),
        durationMs: z.number().nullable(),
        costUsd: z.number(),
        attempts: z.number(),
        sentence: z.string(),
        fromSeq: z.number().nullable(),
        turns: z.number(),
        calls: z.number(),
        failures: z.number(),
      }),
    ),
    /** The newest answers of the model. */
    turns: z.array(
      z.object({
        seq: z.number(),
        step: z.string(),
        ms: z.number(),
        calls: z.number(),
        usd: z.number(),
        title: z.string(),
      }),
    ),
    /** Older ones that are left out of `turns`. */
    olderTurns: z.number(),
    counts: z.object({
      events: z.number(),
      high: z.number(),
      turns: z.number(),
      calls: z.number(),
      commands: z.number(),
      failures: z.number(),
      denied: z.number(),
      messages: z.number(),
      checkpoints: z.number(),
    }),
    /** What the strip marks, the newest; checkpoints are those that other routes can show. */
    marks: z.array(z.object({ seq: z.number(), kind: z.enum(markKinds) })),
    /**
     * The time of the run in at most 400 cells of the same length, waits over 30 s cut short. A cell is the place of its
     * step in `steps` in base 36 (`.`: none), and `seqs` holds the first entry of each.
     */
    strip: z.object({ cellMs: z.number(), cells: z.string(), seqs: z.array(z.number()) }),
    costUsd: z.number(),
  })
  .meta({ id: 'Outline' });
export type Outline = z.infer<typeof outlineSchema>;

const networkSchema = z.object({
  seq: z.number(),
  host: z.string(),
  port: z.number(),
  allowed: z.boolean(),
  reason: z.string(),
  bytesUp: z.number(),
  bytesDown: z.number(),
});
const contextSchema = z.object({
  items: z.array(
    z.object({
      seq: z.number(),
      kind: z.string(),
      path: z.string(),
      provenance: z.string(),
      characters: z.number(),
    }),
  ),
  condensations: z.number(),
  messages: z.array(
    z.object({
      messageId: z.string(),
      by: z.string(),
      mode: z.enum(['now', 'after_step']),
      /** The entry that took it in, and the one in which the agent was told. */
      deliveredSeq: z.number(),
      toldSeq: z.number().nullable(),
    }),
  ),
});

/** How a run stood after one of its entries. */
export const runStateSchema = z
  .object({
    schema: z.literal('berth.state/v1'),
    run: z.string(),
    seq: z.number(),
    /** The newest entry of the log. */
    head: z.number(),
    at: z.string().nullable(),
    status: statusSchema,
    outline: outlineSchema,
    limits: z.array(limitViewSchema),
    changes: changesSchema.extend({ tree: z.string() }).nullable(),
    /** The newest checkpoint at or before it: what its diff and files show. */
    checkpointSeq: z.number().nullable(),
    network: z.array(networkSchema),
    context: contextSchema,
  })
  .meta({ id: 'RunState' });
export type RunStateView = z.infer<typeof runStateSchema>;

/** Which working tree an answer shows: that of the nearest checkpoint at or before the entry asked for. */
export const checkpointPlaceSchema = z.object({
  /** The entry that was asked for. */
  seq: z.number(),
  checkpointSeq: z.number(),
  /** When that checkpoint was saved. */
  at: z.string(),
  /** Entries after the checkpoint up to `seq`: what they changed is not shown. */
  between: z.number(),
});
export type CheckpointPlace = z.infer<typeof checkpointPlaceSchema>;

export const fileListSchema = checkpointPlaceSchema
  .extend({
    schema: z.literal('berth.files/v1'),
    run: z.string(),
    tree: z.string(),
    /** Folder whose files these are; empty: the root. */
    path: z.string(),
    entries: z.array(
      z.object({
        name: z.string(),
        kind: z.enum(['folder', 'file', 'executable', 'symlink', 'submodule']),
        bytes: z.number().nullable(),
      }),
    ),
    /** Whether there are more than are listed. */
    truncated: z.boolean(),
  })
  .meta({ id: 'FileList' });
export type FileList = z.infer<typeof fileListSchema>;

export const searchAnswerSchema = z
  .object({
    run: z.string(),
    matches: z.array(eventSummarySchema),
    /** Where to go on with `after`; null: the end of the log was reached. */
    next: z.number().nullable(),
  })
  .meta({ id: 'SearchAnswer' });
export type SearchAnswer = z.infer<typeof searchAnswerSchema>;
