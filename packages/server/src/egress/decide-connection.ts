import {
  hostMatches,
  isInspected,
  type BrokeredCredential,
  type EgressPolicy,
  type EgressRule,
} from '../domain/egress.ts';
import { readAddress } from './addresses.ts';
import { contains } from './contains.ts';
import { isAddressLiteral, type Target } from './hosts.ts';
import { ecosystemHost, matchingRules, ruleText, type EcosystemHosts } from './matching-rules.ts';
import { loopbackRanges, neverReachedRanges } from './special-ranges.ts';

export interface Allowed {
  readonly allowed: true;
  /** The rule that allowed it; for people. */
  readonly reason: string;
  /** `tunnel`: opaque bytes, nothing of which is read. `inspect`: each request is judged by `decideRequest`. */
  readonly contents: 'inspect' | 'tunnel';
  /** Whether an address in a refused range may be connected to for this target. */
  readonly internal: (address: string) => boolean;
  /** Whether the configuration names exactly this address, so that it may be one of the worker itself. */
  readonly named: (address: string) => boolean;
}
export type Verdict = Allowed | { readonly allowed: false; readonly reason: string };

/**
 * Whether `policy` lets a sandbox talk to `target`, and why. Pure; names are compared, nothing is resolved.
 * @param credentials Those of the run: a host that gets one is read, whatever its rules say.
 */
export function decide(
  policy: EgressPolicy,
  ecosystems: EcosystemHosts,
  target: Target,
  credentials: readonly BrokeredCredential[] = [],
): Verdict {
  const refused = (reason: string): Verdict => ({ allowed: false, reason });
  const { rules, deny = [], ceilings = [] } = policy;
  const place = `${target.host}:${target.port}`;
  const opened = matchingRules(rules, ecosystems, target);
  const first = opened[0];
  if (first === undefined) return refused(whyNot(rules, ecosystems, target));
  const names = [target.host, readAddress(target.host)?.address ?? target.host];
  const denied = deny.find((pattern) => names.some((name) => hostMatches(pattern, name)));
  if (denied !== undefined) return refused(`${place} is denied by the configuration (${denied})`);
  const bounds = ceilings.map((ceiling) => matchingRules(ceiling, ecosystems, target));
  if (bounds.some((ceiling) => ceiling.length === 0)) {
    return refused(`${place} is not within what the configuration allows`);
  }
  const brokered = credentials.some(
    (one) => one.host.toLowerCase() === target.host && one.port === target.port,
  );
  const read = brokered || needsReading(opened) || bounds.some(needsReading);
  return {
    allowed: true,
    reason: ruleText(first),
    contents: read ? 'inspect' : 'tunnel',
    internal: (address) => mayBeInternal(policy, ecosystems, target, address, opensInternal),
    named: (address) => mayBeInternal(policy, ecosystems, target, address, namesExactly),
  };
}

/** An explicit tunnel is the widest permission of a list; what needs no reading by itself is read if a neighbour does. */
function needsReading(matching: readonly EgressRule[]): boolean {
  return !matching.some(isTunnel) && matching.some(isInspected);
}

function isTunnel(rule: EgressRule): boolean {
  return 'contents' in rule && rule.contents === 'tunnel' && !isInspected(rule);
}

/**
 * A way into the network of the worker is given by its configuration only: by the rules it gave the run, or by every
 * one of its ceilings. What the operator's own tools call their registry is such a word, too.
 */
function mayBeInternal(
  { rules, ceilings = [] }: EgressPolicy,
  ecosystems: EcosystemHosts,
  target: Target,
  address: string,
  opens: (rule: EgressRule, target: Target, address: string) => boolean,
): boolean {
  if (neverReachedRanges(address) !== null) return false;
  const registry = rules
    .filter((rule) => 'ecosystem' in rule)
    .map((rule) => ecosystemHost(rule.ecosystem, ecosystems, target))
    .find((found) => found !== null);
  // A registry on the worker itself, as its own tools name it; loopback of a sandbox is another place.
  if (registry !== undefined) return registry.insideSandbox !== true || loopbackRanges(address) === null;
  if (loopbackRanges(address) !== null) return false;
  const gives = (list: readonly EgressRule[]) =>
    list.some(
      (rule) => !('ecosystem' in rule) && rule.ports.includes(target.port) && opens(rule, target, address),
    );
  return ceilings.length === 0 ? gives(rules) : ceilings.every(gives);
}

function opensInternal(rule: EgressRule, target: Target, address: string): boolean {
  if ('cidr' in rule) return contains(rule.cidr, address);
  return 'host' in rule && rule.internal === true && hostMatches(rule.host, target.host);
}

/** A range of one address. */
function namesExactly(rule: EgressRule, _target: Target, address: string): boolean {
  return 'cidr' in rule && /^[0-9.]+\/32$|:.*\/128$/.test(rule.cidr) && contains(rule.cidr, address);
}

function whyNot(rules: readonly EgressRule[], ecosystems: EcosystemHosts, target: Target): string {
  const { host, port } = target;
  if (isAddressLiteral(host)) {
    return readAddress(host) === null
      ? `${host} is an odd spelling of an address, and only names can be allowed, or addresses that are written plainly`
      : `${host} is an address, and only names can be allowed, or a cidr rule of the configuration`;
  }
  const others = rules.flatMap((rule) => ('host' in rule && hostMatches(rule.host, host) ? rule.ports : []));
  if (others.length > 0) {
    const ports = [...new Set(others)].sort((a, b) => a - b).join(', ');
    return `port ${port} of ${host} is not allowed (allowed: ${ports})`;
  }
  const why = rules.length === 0 ? 'nothing may leave this sandbox' : 'no rule allows it';
  const unknown = rules.flatMap((rule) =>
    'ecosystem' in rule && (ecosystems.get(rule.ecosystem) ?? []).length === 0 ? [rule.ecosystem] : [],
  );
  const hint =
    unknown.length === 0
      ? ''
      : `; no host is known for the ecosystem ${unknown.join(', ')}: name its registry or mirror in that tool's own settings where Berth runs`;
  return `${host}:${port} is not allowed: ${why}${hint}`;
}
