import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { configEgressRuleSchema } from '../egress.ts';

const bytesMiB = z.int().min(1).max(1_048_576);

/** What may leave and come in. Bytes count for a run, over all its sandboxes; the rest for each sandbox. */
export const egressLimitsSchema = z.strictObject({
  /** Up and down, each over all connections of the run. */
  upMiB: bytesMiB.default(2_048),
  downMiB: bytesMiB.default(32_768),
  /** The same for each single host. */
  hostUpMiB: bytesMiB.default(1_024),
  hostDownMiB: bytesMiB.default(16_384),
  /** New connections and requests in one second; a burst of four times as many is taken. */
  perSecond: z.int().min(1).max(10_000).default(100),
  /** Open at once. */
  connections: z.int().min(1).max(10_000).default(128),
});
export type EgressLimitsConfig = z.infer<typeof egressLimitsSchema>;

/** What holds for the traffic of every sandbox. */
export const egressSectionSchema = z.strictObject({
  /** The most that any blueprint or project may open; absent: no ceiling. */
  allow: z.array(configEgressRuleSchema).optional(),
  /** Stronger than every rule. */
  deny: z.array(z.string().min(1)).default([]),
  /** Address ranges that names must not resolve into; absent: every range that is not public. */
  refusedRanges: z
    .array(z.union([z.cidrv4(), z.cidrv6()]))
    .max(1_000)
    .optional(),
  /** Authorities (certificates, PEM) of the company that servers of inspected connections may be signed by, too. */
  trust: z
    .array(
      z.string().max(32_768).refine(isCertificate, 'one certificate in PEM: -----BEGIN CERTIFICATE----- …'),
    )
    .max(100)
    .default([]),
  limits: egressLimitsSchema.prefault({}),
});

function isCertificate(text: string): boolean {
  if (text.split('-----BEGIN').length !== 2 || !text.includes('-----BEGIN CERTIFICATE-----')) return false;
  try {
    return new X509Certificate(text).subject !== undefined;
  } catch {
    return false;
  }
}

/** What a project's own configuration opens for each kind of step. */
export const egressForSchema = z.strictObject({
  setup: z.array(configEgressRuleSchema).max(200).default([]),
  /** While the agent works; what it opens, an agent that was led astray can use. */
  agent: z.array(configEgressRuleSchema).max(200).default([]),
  check: z.array(configEgressRuleSchema).max(200).default([]),
  verify: z.array(configEgressRuleSchema).max(200).default([]),
});
export type EgressFor = z.infer<typeof egressForSchema>;
export const noEgressFor: EgressFor = egressForSchema.parse({});
