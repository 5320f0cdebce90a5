import { pathWithin, type EgressPolicy, type EgressRule } from '../domain/egress.ts';
import { normalPath } from '../domain/request-path.ts';
import { decide } from './decide-connection.ts';
import type { Target } from './hosts.ts';
import { matchingRules, type EcosystemHosts } from './matching-rules.ts';

export interface RequestLine {
  /** As sent; case counts. */
  readonly method: string;
  /** As sent, with or without its query. */
  readonly path: string;
  /** It asks to leave HTTP (WebSocket): what follows is no request any more. */
  readonly upgrade?: boolean;
  /** It has headers by which some servers take another method or path than the line's (`overridesLine`). */
  readonly overrides?: boolean;
}

const overridingHeaders: ReadonlySet<string> = new Set([
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-url',
  'x-override-url',
  'x-rewrite-url',
]);

/** Whether one of these header names, in any case, asks servers to take another method or path. Pure. */
export function overridesLine(names: Iterable<string>): boolean {
  for (const name of names) if (overridingHeaders.has(name.toLowerCase().replaceAll('_', '-'))) return true;
  return false;
}

export interface RequestVerdict {
  readonly allowed: boolean;
  /** The rule that allowed it, or why it was refused; never holds the query. For people. */
  readonly reason: string;
}

/** The tunnel belongs to the door, and an answer to TRACE repeats what was put on the request. */
const neverMethods: ReadonlySet<string> = new Set(['CONNECT', 'TRACE']);
const readMethods: readonly string[] = ['GET', 'HEAD'];

/**
 * Whether `policy` lets one request of a connection pass that can be read: its rules, and each of the ceilings, have to
 * allow its method and path. Pure.
 */
export function decideRequest(
  policy: EgressPolicy,
  ecosystems: EcosystemHosts,
  target: Target,
  request: RequestLine,
): RequestVerdict {
  const connection = decide(policy, ecosystems, target);
  if (!connection.allowed) return connection;
  const refused = (reason: string): RequestVerdict => ({ allowed: false, reason });
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}$/.test(request.method)) return refused('its method is malformed');
  if (neverMethods.has(request.method)) return refused(`${request.method} is never passed on`);
  const path = normalPath(request.path);
  const mine = judge(matchingRules(policy.rules, ecosystems, target), request, path);
  if (mine !== null) return refused(`${where(target)}: ${mine}`);
  for (const ceiling of policy.ceilings ?? []) {
    const objection = judge(matchingRules(ceiling, ecosystems, target), request, path);
    if (objection !== null) {
      return refused(`${where(target)} is not within what the configuration allows: ${objection}`);
    }
  }
  return { allowed: true, reason: connection.reason };
}

/** Why none of the rules that open the host lets the request pass, or null when one does. */
function judge(rules: readonly EgressRule[], request: RequestLine, path: string | null): string | null {
  const objections = rules.map((rule) => objectionOf(rule, request, path));
  return objections.includes(null) ? null : (objections.at(-1) ?? 'no rule allows it');
}

function objectionOf(rule: EgressRule, request: RequestLine, path: string | null): string | null {
  const { method, upgrade = false, overrides = false } = request;
  const methods = methodsOf(rule);
  const limited = methods !== null || pathsOf(rule) !== null;
  if (overrides && limited) return 'its headers name another method or path than its first line';
  if (methods !== null && !methods.includes(method)) {
    return `the method ${method} is not allowed (allowed: ${methods.join(', ')})`;
  }
  // After the switch of protocols there is neither method nor path to judge.
  if (upgrade && limited) return 'an upgrade cannot be judged by its rule';
  const paths = pathsOf(rule);
  if (paths === null) return null;
  if (path === null) return 'its path can be read in more than one way';
  return pathWithin(paths, path) ? null : `the path is not allowed (allowed: ${paths.join(', ')})`;
}

/** Null: all. */
function methodsOf(rule: EgressRule): readonly string[] | null {
  if ('ecosystem' in rule) return rule.publish === true ? null : readMethods;
  return 'cidr' in rule ? null : (rule.methods ?? null);
}

/** Null: all. A prefix that is not plain itself covers nothing. */
function pathsOf(rule: EgressRule): readonly string[] | null {
  if (!('host' in rule) || rule.paths === undefined) return null;
  return rule.paths.map(normalPath).filter((path) => path !== null);
}

function where({ host, port }: Target): string {
  return `${host}:${port}`;
}
