import { BerthError, errorRegistry } from '../domain/errors/index.ts';
import type { ModelUsage } from '../domain/ports/model.ts';
import { classifyFailure } from './classify.ts';
import type { Classified, ProviderFailure } from './classify.ts';
import { withoutKeys } from './redact-key.ts';

/** What `modelError` needs to know besides the error. */
export interface FailureContext {
  /** `provider/model`. */
  readonly modelId: string;
  /** True once any part of the answer has arrived. */
  readonly begun: boolean;
  readonly nowMs: number;
  /** Values that must not appear in what people read. */
  readonly secrets: readonly string[];
  /** What the answer that was lost has cost in tokens, estimated. */
  readonly lostUsage?: ModelUsage;
}

/**
 * Whatever a provider threw, as a `BerthError` with a `MODEL_*` code. `details` holds `model`, `status`, `lostUsage`, `said`
 * (the provider's words), `waitMs` and `returnsAt` (ISO time) where known. The original error is not kept as
 * cause: it carries the whole request.
 */
export function modelError(error: unknown, context: FailureContext): BerthError {
  const lost = context.lostUsage === undefined ? {} : { lostUsage: context.lostUsage };
  if (error instanceof BerthError) {
    return new BerthError(error.code, error.message, {
      next: error.next,
      details: { model: context.modelId, ...error.details, ...lost },
    });
  }
  const failure = readFailure(error, context.begun);
  if (isUnreadable(error)) {
    const said = withoutKeys(failure.message, context.secrets);
    return new BerthError(
      'MODEL_ANSWER_INVALID',
      `${errorRegistry.MODEL_ANSWER_INVALID.sentence} (${context.modelId}: ${said})`,
      {
        details: { model: context.modelId, said, ...lost },
      },
    );
  }
  const verdict = classifyFailure(failure, context.nowMs);
  const said = withoutKeys(verdict.said, context.secrets);
  const returnsAt = verdict.returnsAtMs === null ? null : isoTime(verdict.returnsAtMs);
  return new BerthError(verdict.code, sentenceOf(verdict, context.modelId, said, returnsAt), {
    details: {
      model: context.modelId,
      ...lost,
      ...(failure.status === undefined ? {} : { status: failure.status }),
      ...(failure.networkCode === undefined ? {} : { networkCode: failure.networkCode }),
      said,
      ...(verdict.waitMs === null ? {} : { waitMs: verdict.waitMs }),
      ...(returnsAt === null ? {} : { returnsAt, returnsAtMs: verdict.returnsAtMs }),
    },
  });
}

function sentenceOf(verdict: Classified, modelId: string, said: string, returnsAt: string | null): string {
  const returns = returnsAt === null ? '' : ` It opens again at ${returnsAt}.`;
  return `${errorRegistry[verdict.code].sentence}${returns} (${modelId}: ${said})`;
}

/** Null for a time no `Date` can hold: a provider may send any number. */
function isoTime(timeMs: number): string | null {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** The facts of an error of the AI SDK, of one of its stream error parts, or of the network. */
export function readFailure(error: unknown, begun: boolean): ProviderFailure {
  const network = networkCodeOf(error);
  const base = {
    message: messageOf(error),
    begun,
    ...(network === undefined ? {} : { networkCode: network }),
  };
  if (isCallError(error)) {
    // The SDK also wraps a lost connection as a call error that has the status 200 of the response it began.
    const isFailureStatus = error.statusCode !== undefined && error.statusCode >= 300;
    return {
      ...base,
      ...(isFailureStatus ? { status: error.statusCode } : {}),
      ...(isFailureStatus && error.responseBody !== undefined ? { body: error.responseBody } : {}),
      ...(error.responseHeaders === undefined ? {} : { headers: error.responseHeaders }),
    };
  }
  if (typeof error === 'object' && error !== null && !(error instanceof Error)) {
    const status = (error as { statusCode?: unknown }).statusCode;
    const data = (error as { data?: unknown }).data ?? error;
    return { ...base, ...(typeof status === 'number' ? { status } : {}), body: safeJson(data) };
  }
  return base;
}

const unreadableNames = new Set([
  'AI_JSONParseError',
  'AI_TypeValidationError',
  'AI_InvalidResponseDataError',
]);

/** The SDK could not make sense of an event; a stream that only ended too early it reports in the same way. */
function isUnreadable(error: unknown): boolean {
  if (!(error instanceof Error) || error.message.includes('ended without a finish reason')) return false;
  // Its Anthropic part has a plain error for a first event that is no JSON.
  return unreadableNames.has(error.name) || error.message.startsWith('Expected a normalized');
}

interface CallError extends Error {
  readonly statusCode?: number;
  readonly responseBody?: string;
  readonly responseHeaders?: Record<string, string>;
}

/** The AI SDK marks its error classes with registered symbols, so that copies of its packages agree. */
function isCallError(error: unknown): error is CallError {
  return error instanceof Error && Symbol.for('vercel.ai.error.AI_APICallError') in error;
}

function safeJson(value: unknown): string {
  try {
    const isErrorItself =
      typeof value === 'object' && value !== null && !('error' in value) && !('response' in value);
    return JSON.stringify(isErrorItself ? { error: value } : value) ?? '';
  } catch {
    return '';
  }
}

function messageOf(error: unknown): string {
  if (error instanceof Error) {
    const inner = error.cause instanceof Error ? error.cause.message : '';
    return inner !== '' && !error.message.includes(inner) ? `${error.message}: ${inner}` : error.message;
  }
  if (typeof error === 'object' && error !== null && 'message' in error && typeof error.message === 'string')
    return error.message;
  return typeof error === 'string' ? error : 'unknown error';
}

function networkCodeOf(error: unknown): string | undefined {
  let current = error;
  for (let depth = 0; depth < 6 && current instanceof Error; depth++) {
    const code = (current as { code?: unknown }).code;
    if (typeof code === 'string' && /^(?:E[A-Z]|UND_ERR_|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code))
      return code;
    current = current.cause;
  }
  return undefined;
}
