import type { BrokeredCredential, EgressBounds, EgressPolicy, EgressRule } from '../domain/egress.ts';
import type {
  EgressExplained,
  EgressQuestion,
  EgressStep,
  ExplainedStep,
} from '../domain/egress-explained.ts';
import { BerthError } from '../domain/errors/index.ts';
import {
  credentialFor,
  decide,
  decideRequest,
  matchingRules,
  ruleText,
  type EcosystemHosts,
} from './decide.ts';
import { ecosystemHosts, type EcosystemSource } from './ecosystems.ts';
import { isAddressLiteral, normalHost, type Target } from './hosts.ts';
import { isOwnAddress, readOwnAddresses } from './own-addresses.ts';
import { compileRanges, neverReachedRanges, rangesOf } from './special-ranges.ts';
import type { Resolve } from './upstream.ts';

/** Rules of one place, with its name. */
export interface RuleLayer {
  readonly layer: 'blueprint' | 'project';
  readonly rules: readonly EgressRule[];
}

export interface ExplainInput {
  readonly project: string;
  readonly question: EgressQuestion;
  /** The rules of each step, by where they stand. */
  readonly layers: Readonly<Record<EgressStep, readonly RuleLayer[]>>;
  readonly bounds: EgressBounds;
  /** Of each ceiling, in their order. */
  readonly ceilingLayers: readonly ('installation' | 'project')[];
  readonly credentials: readonly BrokeredCredential[];
  readonly ecosystems: EcosystemSource;
  readonly resolve: Resolve;
}

/** What the policy of a project would decide now. Names are resolved only where a step may connect. */
export async function explainEgress(input: ExplainInput): Promise<EgressExplained> {
  const { question, bounds } = input;
  const host = normalHost(question.host);
  if (host === null) throw new BerthError('USAGE', `${JSON.stringify(question.host)} is no host name.`);
  const target: Target = { host, port: question.port };
  const steps =
    question.step === undefined ? (['setup', 'agent', 'check', 'verify'] as const) : [question.step];
  const all = [
    ...steps.flatMap((step) => input.layers[step].flatMap(({ rules }) => rules)),
    ...(bounds.ceilings ?? []).flat(),
  ];
  const hosts = await ecosystemHosts(input.ecosystems, all);
  const explained = steps.map((step) => explainStep(input, hosts, target, step));
  const open = explained.find(({ allowed }) => allowed);
  const resolved =
    open === undefined
      ? { addresses: [], unresolved: 'no step may connect, so nobody asked' }
      : await resolveIt(input, hosts, target, open.step);
  const isClosed =
    resolved.addresses.length > 0 && resolved.addresses.every(({ refused }) => refused !== null);
  return {
    schema: 'berth.egress/v1',
    project: input.project,
    host,
    port: question.port,
    method: question.method ?? null,
    path: question.path?.split('?', 1)[0] ?? null,
    steps: isClosed ? explained.map((step) => closedByRange(step, resolved.addresses[0]!)) : explained,
    ...resolved,
  };
}

function policyOf({ layers, bounds }: ExplainInput, step: EgressStep): EgressPolicy {
  return { ...bounds, rules: layers[step].flatMap(({ rules }) => rules) };
}

function explainStep(
  input: ExplainInput,
  hosts: EcosystemHosts,
  target: Target,
  step: EgressStep,
): ExplainedStep {
  const { question, credentials, bounds } = input;
  const policy = policyOf(input, step);
  const verdict = decide(policy, hosts, target, credentials);
  const found = input.layers[step]
    .map(({ layer, rules }) => ({ layer, rule: matchingRules(rules, hosts, target)[0] }))
    .find(({ rule }) => rule !== undefined);
  const rule = found?.rule === undefined ? null : ruleText(found.rule);
  const base = { step, rule, contents: null, credential: null };
  if (!verdict.allowed) {
    if (found === undefined) return { ...base, allowed: false, reason: verdict.reason, layer: 'none' };
    const isDenied = verdict.reason.includes('is denied by the configuration');
    const place = (bounds.ceilings ?? []).findIndex(
      (ceiling) => matchingRules(ceiling, hosts, target).length === 0,
    );
    const layer = isDenied ? 'deny' : (input.ceilingLayers[place] ?? 'installation');
    return { ...base, allowed: false, reason: verdict.reason, layer };
  }
  const layer =
    found?.rule !== undefined && 'ecosystem' in found.rule ? 'ecosystem' : (found?.layer ?? 'none');
  const open = { ...base, allowed: true, reason: verdict.reason, layer, contents: verdict.contents } as const;
  const isRequest = question.method !== undefined || question.path !== undefined;
  const line = { method: question.method ?? 'GET', path: question.path ?? '/' };
  // What is not read cannot be refused by what it says.
  const isRead = verdict.contents === 'inspect' || target.port === 80;
  if (!isRead) return open;
  if (isRequest) {
    const request = decideRequest(policy, hosts, target, line);
    if (!request.allowed) {
      const mine = decideRequest({ rules: policy.rules }, hosts, target, line);
      const from = mine.allowed ? ceilingThatRefuses(input, hosts, target, line) : layer;
      return { ...open, allowed: false, reason: request.reason, layer: from, contents: null };
    }
  }
  const choice = credentialFor(credentials, target, line);
  if (choice.kind === 'refused') return { ...open, allowed: false, reason: choice.reason, contents: null };
  return { ...open, credential: choice.kind === 'use' ? choice.credential.name : null };
}

function ceilingThatRefuses(
  { bounds, ceilingLayers }: ExplainInput,
  hosts: EcosystemHosts,
  target: Target,
  line: { readonly method: string; readonly path: string },
): 'installation' | 'project' {
  const place = (bounds.ceilings ?? []).findIndex(
    (rules) => !decideRequest({ rules }, hosts, target, line).allowed,
  );
  return ceilingLayers[place] ?? 'installation';
}

async function resolveIt(
  input: ExplainInput,
  hosts: EcosystemHosts,
  target: Target,
  step: EgressStep,
): Promise<Pick<EgressExplained, 'addresses' | 'unresolved'>> {
  const verdict = decide(policyOf(input, step), hosts, target, input.credentials);
  const isRefused = compileRanges(rangesOf(input.bounds));
  const own = readOwnAddresses();
  const judge = (address: string): string | null => {
    const never = neverReachedRanges(address);
    if (never !== null) return `${never.cidr} (${never.name}), which nothing opens`;
    const range = isRefused(address);
    if (range !== null && !(verdict.allowed && verdict.internal(address)))
      return `${range.cidr} (${range.name}), by egress.refusedRanges`;
    if (isOwnAddress(own, address) && !(verdict.allowed && verdict.named(address)))
      return 'an address of the server itself, which only a cidr rule that names exactly it opens';
    return null;
  };
  const shown = (found: readonly string[]) => found.map((address) => ({ address, refused: judge(address) }));
  if (isAddressLiteral(target.host)) return { addresses: shown([target.host]), unresolved: null };
  try {
    const found = await input.resolve(target.host);
    return { addresses: shown(found), unresolved: found.length === 0 ? 'it has no address' : null };
  } catch {
    return { addresses: [], unresolved: 'it does not resolve on the server' };
  }
}

function closedByRange(
  step: ExplainedStep,
  first: { readonly address: string; readonly refused: string | null },
): ExplainedStep {
  if (!step.allowed) return step;
  const refused = first.refused ?? '';
  const reason = `${step.reason} allows it, but it resolves to ${first.address}, ${refused.startsWith('an ') ? '' : 'which lies in '}${refused}`;
  return { ...step, allowed: false, reason, layer: 'range', contents: null, credential: null };
}
