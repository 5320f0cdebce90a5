import { z } from 'zod';

/** Package ecosystems whose registry is asked of the tool's own configuration on the worker, never written down. */
export const ecosystems = ['npm', 'pip', 'go', 'cargo', 'apt'] as const;

export const egressRuleSchema = z.union([
  z.strictObject({
    /** A host name, or `*.example.org` for every name below it. Never a bare `*`. */
    host: z.string().regex(/^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i),
    ports: z.array(z.int().min(1).max(65_535)).min(1).default([443]),
  }),
  z.strictObject({ ecosystem: z.enum(ecosystems) }),
]);
export type EgressRule = z.infer<typeof egressRuleSchema>;

/** What may leave a sandbox. No rules: nothing. */
export interface EgressPolicy {
  readonly rules: readonly EgressRule[];
}

export const noEgress: EgressPolicy = { rules: [] };

/** One decision of the policy, as it is recorded. */
export interface EgressDecision {
  readonly host: string;
  readonly port: number;
  readonly allowed: boolean;
  /** Which rule allowed it, or why it was refused; for people. */
  readonly reason: string;
  readonly bytesUp: number;
  readonly bytesDown: number;
}
