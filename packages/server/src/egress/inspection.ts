import type { TLSSocket } from 'node:tls';
import type { CredentialBroker } from '../domain/egress.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { RequestLine, RequestVerdict } from './decide.ts';
import { echoForms, shortestCredential } from './echo-filter.ts';
import type { Target } from './hosts.ts';
import type { EgressLimits } from './limits.ts';
import { placeCredential } from './place-credential.ts';
import { type InspectedRequest, objectionTo, type RawHeaders, valuesOf } from './request-check.ts';
import { UpstreamError } from './upstream.ts';

/** What the two protocols need to serve one inspected connection. */
export interface Inspection {
  readonly target: Target;
  readonly limits: EgressLimits;
  readonly credentials: CredentialBroker;
  /** By the policy as it is now. */
  readonly judge: (line: RequestLine) => Promise<RequestVerdict>;
  /** As `HeldPolicy.enter`. */
  readonly enter: (still: () => Promise<boolean>, reset: () => void) => () => void;
  /** `request`: of which one, where it was read that far. */
  readonly onRefused: (
    reason: string,
    code?: string,
    request?: { readonly method: string; readonly path: string },
  ) => void;
  /**
   * A connection to the target with TLS and the agreed protocol. The first is there already; another is made where the
   * server closed the last, by the policy and the addresses of that moment. @throws UpstreamError
   */
  readonly connect: () => Promise<TLSSocket>;
  readonly signal: AbortSignal;
}

export interface Refusal {
  readonly status: 400 | 403 | 502;
  readonly reason: string;
  readonly code?: string;
}

/** A request that may go out, as it goes out. */
export interface Passing {
  readonly path: string;
  readonly headers: RawHeaders;
  /** What the answer must not carry; null where no credential was put. */
  readonly echo: { readonly forms: readonly Buffer[]; readonly onFound: () => void } | null;
  /** Has to be called when the exchange is over. */
  readonly leave: () => void;
}

export type Ruling = ({ readonly kind: 'refuse' } & Refusal) | ({ readonly kind: 'pass' } & Passing);

export const egressCodes = {
  ambiguous: 'EGRESS_CREDENTIAL_AMBIGUOUS',
  echoed: 'EGRESS_CREDENTIAL_ECHOED',
  malformed: 'EGRESS_REQUEST_MALFORMED',
  refused: 'EGRESS_REFUSED',
  untrusted: 'EGRESS_SERVER_UNTRUSTED',
  unavailable: 'SECRET_UNAVAILABLE',
} as const;

/**
 * Judges one request and puts its credential on it. Everything that is refused is recorded here.
 * @param reset Ends the exchange when a later policy does not allow it.
 */
export async function ruleRequest(
  inspection: Inspection,
  request: InspectedRequest,
  reset: () => void,
): Promise<Ruling> {
  const refuse = (status: Refusal['status'], reason: string, code: string): Ruling => {
    inspection.onRefused(reason, code, request);
    return { kind: 'refuse', status, reason, code };
  };
  const objection = objectionTo(request);
  if (objection !== null) return refuse(objection.status, objection.reason, egressCodes.malformed);
  const lines = linesOf(request);
  const leave = inspection.enter(
    async () => (await Promise.all(lines.map(inspection.judge))).every(({ allowed }) => allowed),
    reset,
  );
  const stop = (status: Refusal['status'], reason: string, code: string): Ruling => {
    leave();
    return refuse(status, reason, code);
  };
  for (const line of lines) {
    const verdict = await inspection.judge(line);
    if (!verdict.allowed) {
      const why =
        line.method === request.method
          ? verdict.reason
          : `a ${request.method} request with a body can hold another one (${verdict.reason})`;
      return stop(403, why, egressCodes.refused);
    }
  }
  const { credentials, target, signal } = inspection;
  const placed = placeCredential(credentials.list(), target, request);
  switch (placed.kind) {
    case 'none':
      return { kind: 'pass', path: request.path, headers: request.headers, echo: null, leave };
    case 'refused':
      return stop(403, placed.reason, egressCodes.ambiguous);
    case 'use': {
      const { name, placement } = placed.credential;
      let value: string;
      try {
        value = await credentials.value(name, signal);
      } catch (error) {
        const code = error instanceof BerthError ? error.code : egressCodes.unavailable;
        return stop(502, `the credential ${name} cannot be read at the moment`, code);
      }
      if (value.length < shortestCredential || !/^[\x20-\x7e]+$/.test(value)) {
        const rule = `at least ${shortestCredential} printable ASCII characters`;
        return stop(
          502,
          `the value of the credential ${name} cannot be put (${rule})`,
          egressCodes.unavailable,
        );
      }
      // The value took time to read: the policy may have closed meanwhile.
      for (const line of lines) {
        const verdict = await inspection.judge(line);
        if (!verdict.allowed) return stop(403, verdict.reason, egressCodes.refused);
      }
      const { path, headers } = placed.put(value);
      const onFound = (): void =>
        inspection.onRefused(
          `an answer of ${target.host} repeated the credential ${name}; it was blanked out`,
          egressCodes.echoed,
        );
      const forms = echoForms(value, placement.in === 'basic' ? placement.username : null);
      return { kind: 'pass', path, headers: readableAnswer(headers), echo: { forms, onFound }, leave };
    }
    default:
      return placed satisfies never;
  }
}

const bodilessMethods: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** What has to be allowed: a body where none belongs may be read as a request of its own by the server. */
function linesOf({ method, path, upgrade, hasBody }: InspectedRequest): RequestLine[] {
  const own = { method, path, upgrade };
  return hasBody && bodilessMethods.has(method) ? [own, { method: 'POST', path }] : [own];
}

/**
 * Asks for an answer that can be searched: not compressed, and whole, since parts of an answer that repeats the value
 * would each hold a part of it.
 */
function readableAnswer(headers: RawHeaders): RawHeaders {
  const dropped = new Set([
    'accept-encoding',
    'grpc-accept-encoding',
    'range',
    'if-range',
    'sec-websocket-extensions',
  ]);
  const kept: string[] = [];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    if (!dropped.has(headers[at]!.toLowerCase())) kept.push(headers[at]!, headers[at + 1]!);
  }
  return [...kept, 'accept-encoding', 'identity'];
}

/** Whether the messages of a gRPC answer are compressed one by one, so that nothing can be found in them. */
export function hidesMessages(headers: RawHeaders): boolean {
  return valuesOf(headers, 'grpc-encoding').some((value) => value.trim().toLowerCase() !== 'identity');
}

/** Whether the refusal of a broken exchange is a decision, and so to be recorded. */
export function isDecision({ status, code }: Refusal): boolean {
  return status === 403 || code !== undefined;
}

/** What a broken exchange is answered with. */
export function refusalOf(error: unknown): Refusal {
  const reason = error instanceof Error ? error.message : String(error);
  const kind = error instanceof UpstreamError ? error.kind : 'unreachable';
  if (kind === 'untrusted') return { status: 502, reason, code: egressCodes.untrusted };
  return { status: kind === 'unreachable' ? 502 : 403, reason };
}
