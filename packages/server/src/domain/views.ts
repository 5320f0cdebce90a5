import { z } from 'zod';
import { budgetPeriods } from './config/limits.ts';
import { doctorCheckSchema } from './doctor.ts';
import { gateViewSchema } from './gate-view.ts';
import { statusSchema } from './status.ts';
import { originSchema } from './task.ts';

/** The shapes the API answers with and the CLI prints under `--json`; additive within v1. */

export const taskViewSchema = z
  .object({
    schema: z.literal('berth.task/v1'),
    id: z.string(),
    title: z.string(),
    text: z.string(),
    project: z.string(),
    origin: originSchema,
    status: statusSchema,
    branch: z.string(),
    runs: z.array(z.string()),
    proposal: z.string().nullable(),
    createdAt: z.string(),
  })
  .meta({ id: 'Task' });
export type TaskView = z.infer<typeof taskViewSchema>;

export const limitViewSchema = z.object({
  name: z.enum(['cost', 'tokens', 'steps', 'minutes', 'rounds', 'runs']),
  used: z.number(),
  reserved: z.number(),
  cap: z.number(),
  /** Whose cap it is. */
  owner: z.enum(['run', 'project', 'principal', 'installation']),
  /** Period of a budget; null for the run's own limits. */
  per: z.enum(budgetPeriods).nullable(),
  /** When that period turns. */
  until: z.string().nullable(),
});

export const stepViewSchema = z.object({
  name: z.string(),
  kind: z.string(),
  state: z.enum(['pending', 'running', 'passed', 'failed', 'skipped', 'interrupted']),
  startedAt: z.string().nullable(),
  durationMs: z.number().nullable(),
  costUsd: z.number(),
  attempts: z.number(),
  sentence: z.string(),
});

export const runViewSchema = z
  .object({
    schema: z.literal('berth.run/v1'),
    id: z.string(),
    task: z.string(),
    title: z.string(),
    project: z.string(),
    branch: z.string(),
    attempt: z.number(),
    parent: z.object({ run: z.string(), seq: z.number() }).nullable(),
    status: statusSchema,
    blueprint: z.object({ name: z.string(), source: z.string() }).nullable(),
    base: z.object({ ref: z.string(), commit: z.string() }).nullable(),
    models: z.record(z.string(), z.array(z.string())),
    /** True when a cassette stands in for a model. */
    simulated: z.boolean(),
    /** Past steps and, from the blueprint, those to come. */
    steps: z.array(stepViewSchema),
    limits: z.array(limitViewSchema),
    costUsd: z.number(),
    tokens: z.object({ in: z.number(), out: z.number(), cached: z.number() }),
    changes: z
      .object({ files: z.number(), added: z.number(), removed: z.number(), tree: z.string() })
      .nullable(),
    proposal: z.string().nullable(),
    pullRequest: z.object({ number: z.number(), url: z.string(), draft: z.boolean() }).nullable(),
    /** The gate it waits at. */
    gate: gateViewSchema.nullable(),
    /** What its sandboxes were given: names, never values. */
    secrets: z.object({
      /** Variables with values that whoever runs code in them can read. */
      exposed: z.array(z.string()),
      /** Credentials that the worker puts on requests; the sandboxes have placeholders. */
      brokered: z.array(z.object({ name: z.string(), host: z.string() })),
    }),
    /** Of its sandboxes: how many were prepared by a snapshot of setup, and in how many setup ran. */
    setup: z.object({ restored: z.number(), ran: z.number() }),
    seq: z.number(),
    createdAt: z.string(),
    endedAt: z.string().nullable(),
  })
  .meta({ id: 'Run' });
export type RunView = z.infer<typeof runViewSchema>;

export const eventViewSchema = z
  .object({
    schema: z.literal('berth.event/v1'),
    run: z.string(),
    seq: z.number(),
    at: z.string(),
    type: z.string(),
    step: z.string().nullable(),
    importance: z.enum(['low', 'normal', 'high']),
    title: z.string(),
    data: z.unknown(),
  })
  .meta({ id: 'Event' });
export type EventView = z.infer<typeof eventViewSchema>;

export const liveFrameViewSchema = z
  .object({
    kind: z.enum(['text', 'reasoning', 'tool-input', 'output']),
    callId: z.string(),
    stream: z.enum(['stdout', 'stderr']).optional(),
    toolName: z.string().optional(),
    text: z.string(),
  })
  .meta({ id: 'LiveFrame' });

export const proposalViewSchema = z
  .object({
    schema: z.literal('berth.proposal/v1'),
    /** The run's id: a run has at most one proposal. */
    id: z.string(),
    run: z.string(),
    task: z.string(),
    project: z.string(),
    /** Address of the project's repository: a URL, or a path on the server's machine. */
    repository: z.string(),
    title: z.string(),
    branch: z.string(),
    base: z.object({ ref: z.string(), commit: z.string() }),
    commit: z.string(),
    tree: z.string(),
    pushedTree: z.string().nullable(),
    /** True only when `verify` passed in a fresh sandbox on exactly this tree. */
    verified: z.boolean(),
    checks: z.array(
      z.object({
        name: z.string(),
        command: z.string(),
        exitCode: z.number().nullable(),
        durationMs: z.number(),
        tree: z.string(),
        verdict: z.string(),
        where: z.enum(['work', 'verify']),
      }),
    ),
    policy: z.array(z.object({ rule: z.string(), result: z.string() })),
    pr: z
      .object({
        number: z.number(),
        url: z.string(),
        state: z.enum(['draft', 'open', 'merged', 'closed']),
        mergedAs: z.string().nullable(),
        /** Where `git fetch` finds its branches, when that is not the repository itself. */
        cloneUrl: z.string().nullable(),
      })
      .nullable(),
    diffstat: z.object({ files: z.number(), added: z.number(), removed: z.number() }),
    costUsd: z.number(),
    simulated: z.boolean(),
    createdAt: z.string(),
  })
  .meta({ id: 'Proposal' });
export type ProposalView = z.infer<typeof proposalViewSchema>;

export const doctorViewSchema = z
  .object({ schema: z.literal('berth.doctor/v1'), ok: z.boolean(), checks: z.array(doctorCheckSchema) })
  .meta({ id: 'Doctor' });
export type DoctorView = z.infer<typeof doctorViewSchema>;

export const failureViewSchema = z
  .object({
    schema: z.literal('berth.error/v1'),
    error: z.object({
      code: z.string(),
      message: z.string(),
      next: z.string().nullable(),
      retryable: z.boolean(),
      requestId: z.string().nullable(),
      details: z.record(z.string(), z.unknown()),
    }),
  })
  .meta({ id: 'Failure' });
export type FailureView = z.infer<typeof failureViewSchema>;
