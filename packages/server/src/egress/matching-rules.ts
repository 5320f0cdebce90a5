import { hostMatches, type EgressRule } from '../domain/egress.ts';
import { contains } from './contains.ts';
import type { EcosystemHost } from './ecosystems.ts';
import { isAddressLiteral, type Target } from './hosts.ts';

export type Ecosystem = Extract<EgressRule, { ecosystem: unknown }>['ecosystem'];

/** Where each ecosystem's registry was found to be. */
export type EcosystemHosts = ReadonlyMap<Ecosystem, readonly EcosystemHost[]>;

/** The rules of a list that open `target`, those of ecosystems first. Pure. */
export function matchingRules(
  rules: readonly EgressRule[],
  ecosystems: EcosystemHosts,
  target: Target,
): readonly EgressRule[] {
  const literal = isAddressLiteral(target.host);
  const matching = rules.filter((rule) => {
    if ('ecosystem' in rule) return ecosystemHost(rule.ecosystem, ecosystems, target) !== null;
    if ('cidr' in rule)
      return literal && rule.ports.includes(target.port) && contains(rule.cidr, target.host);
    return !literal && rule.ports.includes(target.port) && hostMatches(rule.host, target.host);
  });
  return [...matching.filter(isEcosystem), ...matching.filter((rule) => !isEcosystem(rule))];
}

/** A rule as people read it. */
export function ruleText(rule: EgressRule): string {
  if ('ecosystem' in rule) return `ecosystem ${rule.ecosystem}`;
  return 'cidr' in rule ? `cidr ${rule.cidr}` : `host ${rule.host}`;
}

function isEcosystem(rule: EgressRule): boolean {
  return 'ecosystem' in rule;
}

/** The place of an ecosystem that `target` is, or null. */
export function ecosystemHost(
  ecosystem: Ecosystem,
  ecosystems: EcosystemHosts,
  target: Target,
): EcosystemHost | null {
  const hosts = ecosystems.get(ecosystem) ?? [];
  return hosts.find((at) => at.host === target.host && at.port === target.port) ?? null;
}
