import {
  hostMatches,
  isInspected,
  type BrokeredCredential,
  type EgressPolicy,
  type EgressRule,
} from '../domain/egress.ts';
import { readAddress } from './addresses.ts';
import type { EcosystemHost } from './ecosystems.ts';
import { isAddressLiteral, type Target } from './hosts.ts';
import { compileRanges, isSpecial, loopbackRanges, neverReachedRanges } from './special-ranges.ts';

export { credentialFor, type CredentialChoice } from './credential-for.ts';
export { decideRequest, type RequestLine, type RequestVerdict } from './decide-request.ts';

export type Ecosystem = Extract<EgressRule, { ecosystem: unknown }>['ecosystem'];

/** Where each ecosystem's registry was found to be. */
export type EcosystemHosts = ReadonlyMap<Ecosystem, readonly EcosystemHost[]>;

export interface Allowed {
  readonly allowed: true;
  /** The rule that allowed it; for people. */
  readonly reason: string;
  /** `tunnel`: opaque bytes, nothing of which is read. `inspect`: each request is judged by `decideRequest`. */
  readonly contents: 'inspect' | 'tunnel';
  /** Whether an address in a refused range may be connected to for this target. */
  readonly internal: (address: string) => boolean;
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
  if (first === undefined) return refused(whyNot(rules, target));
  const denied = deny.find((pattern) => hostMatches(pattern, target.host));
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
    internal: (address) => mayBeInternal(policy, ecosystems, target, address),
  };
}

/** The rules of a list that open `target`, those of ecosystems first. Pure. */
export function matchingRules(
  rules: readonly EgressRule[],
  ecosystems: EcosystemHosts,
  target: Target,
): readonly EgressRule[] {
  const literal = isAddressLiteral(target.host);
  const matching = rules.filter((rule) => {
    if ('ecosystem' in rule) return isEcosystemHost(rule.ecosystem, ecosystems, target) !== null;
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

/** An explicit tunnel is the widest permission of a list; what needs no reading by itself is read if a neighbour does. */
function needsReading(matching: readonly EgressRule[]): boolean {
  return !matching.some(isTunnel) && matching.some(isInspected);
}

function isTunnel(rule: EgressRule): boolean {
  return 'contents' in rule && rule.contents === 'tunnel' && !isInspected(rule);
}

function isEcosystem(rule: EgressRule): boolean {
  return 'ecosystem' in rule;
}

function isEcosystemHost(
  ecosystem: Ecosystem,
  ecosystems: EcosystemHosts,
  target: Target,
): EcosystemHost | null {
  const hosts = ecosystems.get(ecosystem) ?? [];
  return hosts.find((at) => at.host === target.host && at.port === target.port) ?? null;
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
): boolean {
  if (neverReachedRanges(address) !== null) return false;
  const registry = rules
    .filter((rule) => 'ecosystem' in rule)
    .map((rule) => isEcosystemHost(rule.ecosystem, ecosystems, target))
    .find((found) => found !== null);
  // A registry on the worker itself, as its own tools name it; loopback of a sandbox is another place.
  if (registry !== undefined) return registry.insideSandbox !== true || loopbackRanges(address) === null;
  if (loopbackRanges(address) !== null) return false;
  const gives = (list: readonly EgressRule[]) =>
    list.some((rule) => {
      if ('ecosystem' in rule) return false;
      if (!rule.ports.includes(target.port)) return false;
      if ('cidr' in rule) return contains(rule.cidr, address);
      return rule.internal === true && hostMatches(rule.host, target.host);
    });
  return ceilings.length === 0 ? gives(rules) : ceilings.every(gives);
}

/**
 * Whether an address lies in a range, by what it reaches: an address inside an address counts, and a range that holds
 * the outer one opens no special address inside it. Pure.
 */
export function contains(cidr: string, text: string): boolean {
  const read = readAddress(text);
  if (read === null) return false;
  const inRange = rangeOf(cidr);
  const { address, embedded } = read;
  if (embedded.length === 0) return inRange(address);
  if (embedded.every(inRange)) return true;
  return inRange(address) && embedded.every((inner) => isSpecial(inner) === null);
}

const ranges = new Map<string, (address: string) => boolean>();
/** Configured ranges are few; what is remembered stays small all the same. */
const rememberedRanges = 1_000;

function rangeOf(cidr: string): (address: string) => boolean {
  const known = ranges.get(cidr);
  if (known !== undefined) return known;
  const check = compileRanges([cidr]);
  const inRange = (address: string): boolean => check(address) !== null;
  if (ranges.size >= rememberedRanges) ranges.clear();
  ranges.set(cidr, inRange);
  return inRange;
}

function whyNot(rules: readonly EgressRule[], target: Target): string {
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
  return `${host}:${port} is not allowed: ${why}`;
}
