import { z } from 'zod';
import { normalPath } from './request-path.ts';

/** Package ecosystems whose registry is asked of the tool's own configuration, never written down. */
export const ecosystems = ['npm', 'pip', 'go', 'cargo', 'maven', 'apt'] as const;

const hostPattern = z
  .string()
  .regex(
    /^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i,
    'a host name, or *.name',
  );
const portsSchema = z.array(z.int().min(1).max(65_535)).min(1).default([443]);

/** Methods a rule can name. CONNECT is the door's own; TRACE echoes credentials. */
export const egressMethods = [
  'GET',
  'HEAD',
  'OPTIONS',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'PROPFIND',
] as const;

/**
 * Whether what passes is read. `inspect`: TLS ends at the worker, with an authority made for this sandbox, and begins
 * anew to the checked host. `tunnel`: opaque bytes, shown as not inspected; for hosts that pin their certificate.
 */
export const contentsSchema = z.enum(['inspect', 'tunnel']);

const hostRule = z.strictObject({
  /** A host name, or `*.example.org` for every name below it. Never a bare `*`. */
  host: hostPattern,
  ports: portsSchema,
  /** Only these methods; absent: all. Such a rule is inspected. */
  methods: z.array(z.enum(egressMethods)).min(1).optional(),
  /** Only paths that are one of these or lie below it, compared segment by segment. Such a rule is inspected. */
  paths: z
    .array(
      z
        .string()
        .regex(/^\/[^\s?#]*$/, 'a path that begins with /')
        .max(1_024)
        .refine((path) => normalPath(path) !== null, 'a plain path: no .., //, \\, ; or encoded slash in it'),
    )
    .min(1)
    .optional(),
  /** Absent: `inspect` where `methods`, `paths` or a credential need it, else `tunnel`. */
  contents: contentsSchema.optional(),
});

const ecosystemRule = z.strictObject({
  ecosystem: z.enum(ecosystems),
  /** Absent: GET and HEAD only. */
  publish: z.literal(true).optional(),
  /** Absent: `inspect`. */
  contents: contentsSchema.optional(),
});

/** Methods and paths can only be held where they are read. */
const readable = (rule: { contents?: string | undefined; methods?: unknown; paths?: unknown }): boolean =>
  rule.contents !== 'tunnel' || (rule.methods === undefined && rule.paths === undefined);
const unreadable = 'a tunnel is not read: leave out methods and paths, or contents';

/** What a blueprint, and with it the repository, may write. */
export const egressRuleSchema = z.union([hostRule.refine(readable, unreadable), ecosystemRule]);

/** What the configuration may write beside it: ways to places inside the network of the worker. */
export const configEgressRuleSchema = z.union([
  hostRule
    .extend({
      /** The host may resolve into a special range (private, link-local …); never loopback of the worker or metadata. */
      internal: z.literal(true).optional(),
    })
    .refine(readable, unreadable),
  ecosystemRule,
  /** Addresses themselves, and names that resolve to them when a host rule allows the name. */
  z.strictObject({ cidr: z.union([z.cidrv4(), z.cidrv6()]), ports: portsSchema }),
]);
export type EgressRule = z.infer<typeof configEgressRuleSchema>;

/** Where a brokered credential is put on a request. */
export const credentialPlacementSchema = z.discriminatedUnion('in', [
  /** `prefix` stands before the value: `Bearer `, `token `. */
  z.strictObject({
    in: z.literal('header'),
    name: z.string().regex(/^[A-Za-z0-9-]+$/),
    prefix: z
      .string()
      .max(40)
      .regex(/^[\x20-\x7e]*$/)
      .default(''),
  }),
  z.strictObject({
    in: z.literal('basic'),
    username: z
      .string()
      .min(1)
      .max(200)
      .regex(/^[^:\p{Cc}]+$/u),
  }),
  z.strictObject({ in: z.literal('query'), name: z.string().regex(/^[A-Za-z0-9._~-]+$/) }),
]);

/**
 * A secret that never enters the sandbox: inside there is a placeholder, and requests to the one host and path get the
 * real value from the worker. Hosts of credentials are always inspected.
 */
export interface BrokeredCredential {
  readonly name: string;
  /** Exactly this host; no pattern. */
  readonly host: string;
  readonly port: number;
  /** As `paths` of a rule; empty: all of the host. */
  readonly paths: readonly string[];
  readonly placement: z.infer<typeof credentialPlacementSchema>;
  /** Stands for the value inside the sandbox; unguessable, new for each run. A request that has it is given the value. */
  readonly placeholder: string;
}

/** Credentials of a run. Values are read at each use, so that a rotation counts from the next request. */
export interface CredentialBroker {
  list(): readonly BrokeredCredential[];
  /** @throws BerthError `SECRET_UNAVAILABLE` */
  value(name: string, signal: AbortSignal): Promise<string>;
}

export const noCredentials: CredentialBroker = {
  list: () => [],
  value: () => Promise.reject(new Error('this run has no credentials')),
};

/** What a run may move (bytes, over all its sandboxes), and one sandbox's door may take at once. */
export interface EgressTraffic {
  /** Over all connections of the run's sandboxes. */
  readonly upBytes: number;
  readonly downBytes: number;
  /** To and from each single host. */
  readonly hostUpBytes: number;
  readonly hostDownBytes: number;
  /** New connections and requests. */
  readonly perSecond: number;
  /** Open at once. */
  readonly connections: number;
}

/** What the configuration says about every policy. */
export interface EgressBounds {
  /** Address ranges that names must not resolve into; absent: every one that is not public. */
  readonly refusedRanges?: readonly string[];
  /** Certificates (PEM) of authorities that may sign for servers of inspected connections, beside the machine's. */
  readonly trust?: readonly string[];
  /** Absent: the door's own. */
  readonly traffic?: EgressTraffic;
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
    return ceiling.some(
      (one) =>
        'ecosystem' in one &&
        one.ecosystem === rule.ecosystem &&
        (one.publish === true || rule.publish !== true) &&
        (one.contents === 'tunnel' || rule.contents !== 'tunnel'),
    );
  }
  if ('cidr' in rule) {
    const same = ceiling.filter((one) => 'cidr' in one && one.cidr === rule.cidr);
    return rule.ports.every((port) => same.some((one) => 'cidr' in one && one.ports.includes(port)));
  }
  return rule.ports.every((port) =>
    ceiling.some((one) => 'host' in one && one.ports.includes(port) && coversHostRule(one, rule)),
  );
}

type HostRule = Extract<EgressRule, { host: string }>;

function coversHostRule(wide: HostRule, narrow: HostRule): boolean {
  if (!coversHost(wide.host, narrow.host)) return false;
  if (narrow.internal === true && wide.internal !== true) return false;
  // What must be read cannot be tunnelled past.
  if (isInspected(wide) && narrow.contents === 'tunnel') return false;
  const methods = narrow.methods ?? egressMethods;
  if (wide.methods !== undefined && !methods.every((method) => wide.methods?.includes(method))) return false;
  if (wide.paths === undefined) return true;
  return narrow.paths?.every((path) => pathWithin(wide.paths ?? [], path)) ?? false;
}

/** Whether a rule needs the contents of what passes. Pure. */
export function isInspected(rule: EgressRule): boolean {
  if ('cidr' in rule) return false;
  // What limits methods or paths has to be read, whatever else it says.
  if ('host' in rule && (rule.methods !== undefined || rule.paths !== undefined)) return true;
  return rule.contents === undefined ? 'ecosystem' in rule : rule.contents === 'inspect';
}

/** Whether a path is one of `prefixes` or lies below one, segment by segment: `/a` covers `/a/b`, not `/ab`. Pure. */
export function pathWithin(prefixes: readonly string[], path: string): boolean {
  return prefixes.some((prefix) => {
    const directory = prefix.endsWith('/') ? prefix : `${prefix}/`;
    return path === prefix || path.startsWith(directory);
  });
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
  /** Of the registry, where one says more than that the policy refused. */
  readonly code?: string | undefined;
  /** `tunnel`: what passed was not inspected. Absent where nothing passed. */
  readonly contents?: 'inspect' | 'tunnel' | undefined;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** Of refused requests. */
  readonly method?: string;
  /** Without its query, and cut: what a query holds is nobody's business. */
  readonly path?: string;
}
