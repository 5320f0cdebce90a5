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

/** What the configuration says about every policy. */
export interface EgressBounds {
  /** What is opened has to be allowed by each of these lists too. */
  readonly ceilings?: readonly (readonly EgressRule[])[];
  /** Host names, or `*.name`, that nothing opens. */
  readonly deny?: readonly string[];
}

/** What may leave a sandbox. No rules: nothing. */
export interface EgressPolicy extends EgressBounds {
  readonly rules: readonly EgressRule[];
}

/** The bounds of a run as they are now; what was allowed when it was planned can be taken away. */
export interface CurrentEgressBounds {
  current(): EgressBounds;
  /** Called after they changed. Returns the way to stop. */
  onChange(listener: () => void): () => void;
}

export const noEgress: EgressPolicy = { rules: [] };

/** Whether a pattern of a rule means `host`; case counts for nothing. Pure. */
export function hostMatches(pattern: string, host: string): boolean {
  const [wanted, name] = [pattern.toLowerCase(), host.toLowerCase()];
  if (!wanted.startsWith('*.')) return wanted === name;
  return name.endsWith(wanted.slice(1)) && name.length > wanted.length - 1;
}

/** Whether `ceiling` allows all that `rule` opens. Pure. */
export function covers(ceiling: readonly EgressRule[], rule: EgressRule): boolean {
  if ('ecosystem' in rule) {
    return ceiling.some((one) => 'ecosystem' in one && one.ecosystem === rule.ecosystem);
  }
  return rule.ports.every((port) =>
    ceiling.some(
      (one) => !('ecosystem' in one) && one.ports.includes(port) && coversHost(one.host, rule.host),
    ),
  );
}

/** Whether every host that `pattern` means is denied. Pure. */
export function deniedBy(deny: readonly string[], pattern: string): string | null {
  return deny.find((one) => coversHost(one, pattern)) ?? null;
}

function coversHost(wide: string, narrow: string): boolean {
  if (wide.toLowerCase() === narrow.toLowerCase()) return true;
  return wide.startsWith('*.') && hostMatches(wide, narrow.replace(/^\*\./, ''));
}

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
