import { hostMatches, isInspected, type EgressPolicy, type EgressRule } from '../domain/egress.ts';
import type { EcosystemHost } from './ecosystems.ts';
import { isAddressLiteral, type Target } from './hosts.ts';

export type Ecosystem = Extract<EgressRule, { ecosystem: unknown }>['ecosystem'];

/** Where each ecosystem's registry was found to be. */
export type EcosystemHosts = ReadonlyMap<Ecosystem, readonly EcosystemHost[]>;

export type Verdict =
  | {
      readonly allowed: true;
      readonly reason: string;
      /** The operator's own configuration names the host: it may lie in a special range. */
      readonly named: boolean;
    }
  | { readonly allowed: false; readonly reason: string };

/** Whether `policy` lets a sandbox talk to `target`, and why. Pure; names are compared, nothing is resolved. */
export function decide(policy: EgressPolicy, ecosystems: EcosystemHosts, target: Target): Verdict {
  const verdict = byRules(policy.rules, ecosystems, target);
  if (!verdict.allowed) return verdict;
  const { deny = [], ceilings = [] } = policy;
  const place = `${target.host}:${target.port}`;
  const denied = deny.find((pattern) => hostMatches(pattern, target.host));
  if (denied !== undefined) {
    return { allowed: false, reason: `${place} is denied by the configuration (${denied})` };
  }
  if (ceilings.some((ceiling) => !byRules(ceiling, ecosystems, target).allowed)) {
    return { allowed: false, reason: `${place} is not within what the configuration allows` };
  }
  return verdict;
}

function byRules(rules: readonly EgressRule[], ecosystems: EcosystemHosts, target: Target): Verdict {
  for (const rule of rules) {
    if (!('ecosystem' in rule)) continue;
    const found = ecosystems
      .get(rule.ecosystem)
      ?.find((at) => at.host === target.host && at.port === target.port);
    if (found !== undefined) return { allowed: true, reason: `ecosystem ${rule.ecosystem}`, named: true };
  }
  if (isAddressLiteral(target.host)) {
    return { allowed: false, reason: `${target.host} is an address, and only names can be allowed` };
  }
  const otherPorts = new Set<number>();
  for (const rule of rules) {
    if (!('host' in rule) || !hostMatches(rule.host, target.host)) continue;
    // Until the door reads what passes, a rule that limits it opens nothing.
    if (isInspected(rule)) continue;
    if (rule.ports.includes(target.port)) return { allowed: true, reason: `host ${rule.host}`, named: false };
    for (const port of rule.ports) otherPorts.add(port);
  }
  if (otherPorts.size > 0) {
    const ports = [...otherPorts].sort((a, b) => a - b).join(', ');
    return {
      allowed: false,
      reason: `port ${target.port} of ${target.host} is not allowed (allowed: ${ports})`,
    };
  }
  const why = rules.length === 0 ? 'nothing may leave this sandbox' : 'no rule allows it';
  return { allowed: false, reason: `${target.host}:${target.port} is not allowed: ${why}` };
}
