import { z } from 'zod';

export const egressSteps = ['setup', 'agent', 'check', 'verify'] as const;
export type EgressStep = (typeof egressSteps)[number];

/** Who says so: the repository's blueprint, the project's or the installation's configuration, or a denied host. */
export const egressLayers = [
  'blueprint',
  'project',
  'installation',
  'ecosystem',
  'deny',
  'range',
  'none',
] as const;

const explainedStepSchema = z.object({
  step: z.enum(egressSteps),
  allowed: z.boolean(),
  reason: z.string(),
  /** Where the rule that decided stands. */
  layer: z.enum(egressLayers),
  /** That rule as people read it; null where none decided. */
  rule: z.string().nullable(),
  /** Null for what is refused. `tunnel`: contents are not inspected. */
  contents: z.enum(['inspect', 'tunnel']).nullable(),
  /** Name of the credential that is put on the request. */
  credential: z.string().nullable(),
});
export type ExplainedStep = z.infer<typeof explainedStepSchema>;

/** What would become of a connection, or of a request when method or path are given. */
export const egressExplainedSchema = z
  .object({
    schema: z.literal('berth.egress/v1'),
    project: z.string(),
    host: z.string(),
    port: z.number(),
    method: z.string().nullable(),
    path: z.string().nullable(),
    steps: z.array(explainedStepSchema),
    /** What the name resolves to on the server, asked only where a step may connect. */
    addresses: z.array(z.object({ address: z.string(), refused: z.string().nullable() })),
    /** Why there are no addresses. */
    unresolved: z.string().nullable(),
  })
  .meta({ id: 'EgressExplained' });
export type EgressExplained = z.infer<typeof egressExplainedSchema>;

export interface EgressQuestion {
  readonly host: string;
  readonly port: number;
  readonly method?: string;
  readonly path?: string;
  /** Absent: each. */
  readonly step?: EgressStep;
}
