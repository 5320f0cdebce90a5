import { z } from 'zod';
import { durationSchema, nameSchema } from './text.ts';

/** A reference of an image; with a digest (`name@sha256:…`) it means one image for ever. */
export const imageSchema = z
  .string()
  .min(1)
  .max(500)
  .regex(/^[a-zA-Z0-9][\w./:-]*(@sha256:[0-9a-f]{64})?$/, 'an image: name, name:tag or name@sha256:…');

const labelsSchema = z.record(z.string().min(1).max(317), z.string().max(63));

/** A program beside the sandbox (a database, a cache) on its loopback; ends with it. */
export const serviceSchema = z.strictObject({
  name: nameSchema,
  image: imageSchema,
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().max(4_096)).default({}),
  command: z.array(z.string().max(4_096)).max(100).optional(),
  /** It is ready when this port accepts; the first command waits for it. */
  port: z.int().min(1).max(65_535),
  readyWithin: durationSchema.default('60s'),
  memoryMiB: z.int().min(16).max(1_048_576).default(512),
  cpus: z.number().min(0.1).max(1_024).default(1),
});
export type ServiceConfig = z.infer<typeof serviceSchema>;

/** Sandboxes kept ready. Sizes count sandboxes, for one worker. */
export const poolSchema = z
  .strictObject({
    /** Kept even when nobody asked for one lately. */
    min: z.int().min(0).max(1_000).default(0),
    /** At most so many, claimed ones not counted. */
    max: z.int().min(0).max(1_000).default(0),
    /** Idle ones while runs come in. */
    idleTarget: z.int().min(0).max(1_000).default(0),
  })
  .refine(
    ({ min, max, idleTarget }) => min <= max && idleTarget <= max,
    'min and idleTarget are at most max',
  );

export const tolerationSchema = z.strictObject({
  key: z.string().max(317).optional(),
  operator: z.enum(['Equal', 'Exists']).default('Equal'),
  value: z.string().max(63).optional(),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
});

export const kubernetesProfileSchema = z.strictObject({
  runtimeClass: z.string().max(253).optional(),
  nodeSelector: labelsSchema.default({}),
  tolerations: z.array(tolerationSchema).max(50).default([]),
  /** Spreads sandboxes over the values of this node label. */
  spreadOver: z.string().max(317).optional(),
  imagePullSecrets: z.array(z.string().max(253)).max(20).default([]),
  labels: labelsSchema.default({}),
  annotations: z.record(z.string().min(1).max(317), z.string().max(65_536)).default({}),
  /** Until both containers run, pulling images included, from when a node took the sandbox. */
  startWithin: durationSchema.default('10m'),
  /**
   * How long a sandbox that no node takes is left to the scheduler before its run goes back to the line, where it is tried
   * again every 10 s to 2 min. With a cluster autoscaler: longer than a new node takes to come, such as `10m`.
   */
  scheduleWithin: durationSchema.default('8s'),
  /** The pod ends after this, whatever happens to Berth. */
  deadline: durationSchema.default('1d'),
  /**
   * Runs where NetworkPolicy was not proved to be enforced. Whoever sets it says that the cluster may leave sandboxes
   * open to its network.
   */
  acceptUnprovenNetworkPolicy: z.boolean().default(false),
  /**
   * Does not try the sandbox's own node (its kubelet) before the first command: some network plugins always let a pod reach
   * the node it is on, whatever a NetworkPolicy says. Whoever sets it says that services of the node may be reached.
   */
  acceptReachableNode: z.boolean().default(false),
});
export type KubernetesProfile = z.infer<typeof kubernetesProfileSchema>;

export const sandboxProfileSchema = z.strictObject({
  name: nameSchema,
  driver: z.enum(['auto', 'bubblewrap', 'container', 'kubernetes']).default('auto'),
  memoryMiB: z.int().min(128).max(1_048_576).optional(),
  cpus: z.number().min(0.1).max(1_024).optional(),
  processes: z.int().min(16).max(1_000_000).optional(),
  diskMiB: z.int().min(128).optional(),
  fileMiB: z.int().min(1).optional(),
  /** What commands run in; of the drivers `container` and `kubernetes`. */
  image: imageSchema.optional(),
  /** The engine's runtime (`runsc`); of the driver `container`. */
  runtime: z
    .string()
    .regex(/^[A-Za-z0-9._-]+$/)
    .max(100)
    .optional(),
  services: z.array(serviceSchema).max(10).default([]),
  pool: poolSchema.prefault({}),
  /** Whether what `setup` made on the default branch is kept for later runs. Absent: it is not. */
  snapshots: z.boolean().optional(),
  /** What a paused run's sandbox is kept for before it is a checkpoint only. */
  pauseKeep: durationSchema.default('15m'),
  kubernetes: kubernetesProfileSchema.prefault({}),
});
export type SandboxProfile = z.infer<typeof sandboxProfileSchema>;
