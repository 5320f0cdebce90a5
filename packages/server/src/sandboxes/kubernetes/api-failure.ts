import type { V1Status } from './api-types.ts';
import { BerthError, type ErrorCode } from '../../domain/errors/index.ts';
import { said } from './pod-state.ts';

/** A refusal of the API server, or of something before it: proxies and priority levels answer in plain text. */
export class ApiFailure extends Error {
  readonly status: number;
  /** `reason` of the Status; null where the answer was none. */
  readonly reason: string | null;
  readonly details: V1Status['details'];
  /** What it says, for people; never what is decided by, except where nothing else tells. */
  readonly said: string;
  readonly retryAfterMs: number | null;

  constructor(answer: {
    readonly status: number;
    readonly text: string;
    readonly retryAfter: string | null;
  }) {
    const parsed = parseStatus(answer.text);
    super(`the API server answered ${answer.status}: ${said(parsed?.message ?? answer.text)}`);
    this.name = 'ApiFailure';
    this.status = answer.status;
    this.reason = parsed?.reason ?? null;
    this.details = parsed?.details;
    this.said = parsed?.message ?? answer.text;
    this.retryAfterMs = retryAfterOf(answer.retryAfter, parsed?.details?.retryAfterSeconds);
  }

  hasCause(reason: string): boolean {
    return this.details?.causes?.some((cause) => cause.reason === reason) === true;
  }
}

function parseStatus(text: string): V1Status | null {
  try {
    const value = JSON.parse(text) as V1Status | null;
    return value !== null && typeof value === 'object' && value.kind === 'Status' ? value : null;
  } catch {
    return null;
  }
}

/** Longer than this nobody waits for one answer. */
const longestRetryAfterMs = 30_000;

function retryAfterOf(header: string | null, seconds: number | undefined): number | null {
  const value = seconds ?? (header !== null && /^\d{1,6}$/.test(header) ? Number(header) : null);
  return value === null ? null : Math.min(value * 1_000, longestRetryAfterMs);
}

/** Whether the same request may well be answered in a moment. A quota that was written by two at once is a conflict. */
export function isTransient(failure: ApiFailure): boolean {
  const { status, details, reason } = failure;
  if (status === 429 || status === 502 || status === 503 || status === 504) return true;
  if (status === 500) return true;
  return status === 409 && reason === 'Conflict' && details?.kind !== 'Pod' && details?.kind !== 'pods';
}

/** An API server that has just started knows its roles within seconds. Milliseconds. */
export const coldMs = 10_000;

/**
 * Whether the account may not do it, as it is told for a moment after a start of the API server too: it serves before it
 * knows its roles and accounts (seen on 1.36). Admission refuses with 403 as well, but in other words.
 */
export function mayBeCold(failure: ApiFailure): boolean {
  if (failure.status === 401) return true;
  return failure.status === 403 && / cannot [a-z]+ resource "pods(\/[a-z]+)?"/.test(failure.said);
}

/** A failure of any request, as an error of the registry. */
export function clusterError(error: unknown): BerthError {
  if (error instanceof BerthError) return error;
  if (!(error instanceof ApiFailure)) {
    const sentence = `The API server of the cluster does not answer: ${said(error instanceof Error ? error.message : String(error))}`;
    return new BerthError('SANDBOX_CLUSTER_UNREACHABLE', sentence, { cause: error });
  }
  const { code, sentence } = codeOf(error);
  return new BerthError(code, sentence, {
    cause: error,
    details: { status: error.status, reason: error.reason },
  });
}

function codeOf(failure: ApiFailure): { readonly code: ErrorCode; readonly sentence?: string } {
  if (failure.status === 401) return { code: 'SANDBOX_CLUSTER_CREDENTIALS' };
  if (failure.status === 403)
    return { code: 'SANDBOX_CLUSTER_FORBIDDEN', sentence: `The cluster refuses: ${said(failure.said)}` };
  if (failure.status === 404 && failure.details?.kind === 'namespaces')
    return { code: 'SANDBOX_NAMESPACE', sentence: 'The sandbox namespace does not exist.' };
  if (isTransient(failure))
    return {
      code: 'SANDBOX_CLUSTER_UNREACHABLE',
      sentence: `The API server of the cluster is not able to answer: ${said(failure.said)}`,
    };
  return {
    code: 'SANDBOX_POD_REFUSED',
    sentence: `The API server refuses the request: ${said(failure.said)}`,
  };
}

/**
 * Why a pod was not admitted.
 * @param mayCreate whether the account may create pods at all: asked of the API server, since a 403 has many makers
 */
export function admissionError(failure: ApiFailure, mayCreate: boolean): BerthError {
  const { code, sentence } = admissionCode(failure, mayCreate);
  return new BerthError(code, sentence, {
    cause: failure,
    details: { status: failure.status, reason: failure.reason },
  });
}

function admissionCode(
  failure: ApiFailure,
  mayCreate: boolean,
): { readonly code: ErrorCode; readonly sentence: string } {
  if (failure.hasCause('NamespaceTerminating'))
    return { code: 'SANDBOX_NAMESPACE', sentence: 'The sandbox namespace is being removed.' };
  if (failure.status === 404)
    return { code: 'SANDBOX_NAMESPACE', sentence: 'The sandbox namespace does not exist.' };
  if (failure.status === 403 && !mayCreate)
    return {
      code: 'SANDBOX_CLUSTER_FORBIDDEN',
      sentence: 'Berth may not create pods in the sandbox namespace.',
    };
  const isAboutResources = failure.details?.causes?.some((cause) => /\.resources\./.test(cause.field ?? ''));
  if (failure.status === 422 && isAboutResources === true)
    return {
      code: 'SANDBOX_LIMIT_RANGE',
      sentence: `The limits of the sandbox do not fit: ${said(failure.said)}`,
    };
  if (failure.status !== 403)
    return {
      code: 'SANDBOX_POD_REFUSED',
      sentence: `The cluster does not take the pod: ${said(failure.said)}`,
    };
  return refusedByAdmission(failure.said);
}

/**
 * The admission plugins of Kubernetes share one code and one reason, and `details` names the pod only: for these nothing
 * but the text tells which it was. The beginnings have been the same since their plugins exist (quota 1.2, LimitRange 1.0,
 * RuntimeClass 1.20, Pod Security 1.22); a text that is not known is a refusal, never a wait.
 */
function refusedByAdmission(message: string): { readonly code: ErrorCode; readonly sentence: string } {
  const why = message.replace(/^pods "[^"]*" is forbidden: /, '');
  if (why.startsWith('exceeded quota: '))
    return { code: 'SANDBOX_QUOTA', sentence: `The quota is used up: ${said(why)}` };
  if (why.startsWith('failed quota: '))
    return { code: 'SANDBOX_QUOTA_RULES', sentence: `The quota wants more named: ${said(why)}` };
  if (/(^|[[ ])(minimum|maximum) \S+ usage per |max limit to request ratio per /.test(why))
    return {
      code: 'SANDBOX_LIMIT_RANGE',
      sentence: `The LimitRange of the namespace does not allow it: ${said(why)}`,
    };
  if (why.startsWith('pod rejected: RuntimeClass '))
    return { code: 'SANDBOX_RUNTIME_CLASS', sentence: `The cluster has no such RuntimeClass: ${said(why)}` };
  return { code: 'SANDBOX_POD_REFUSED', sentence: `The cluster does not admit the pod: ${said(why)}` };
}
