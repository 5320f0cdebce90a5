import type { ErrorCode } from '../domain/errors/index.ts';
import { goDurationMs, retryAfterMs } from './retry-after.ts';
import type { Headers } from './retry-after.ts';

/** What is known of a failed call, whoever the provider is. */
export interface ProviderFailure {
  /** HTTP status, or the status a provider's error event in a stream stands for. */
  readonly status?: number;
  /** Body text or the JSON of the error event. */
  readonly body?: string;
  readonly headers?: Headers;
  /** `code` of a network error (`ECONNREFUSED`, `UND_ERR_…`), from the chain of causes. */
  readonly networkCode?: string;
  readonly message: string;
  /** True when the answer had begun: a lost connection is then a truncated stream. */
  readonly begun: boolean;
}

/** The verdict over a failed call. */
export interface Classified {
  readonly code: ErrorCode & `MODEL_${string}`;
  /** The provider's own words, for the sentence; not yet redacted. */
  readonly said: string;
  /** How long the provider asks to wait. */
  readonly waitMs: number | null;
  /** When a usage window opens again, milliseconds since 1970. */
  readonly returnsAtMs: number | null;
}

interface Said {
  readonly message: string;
  /** `type`, `code` and `status` words of the error, lower case. */
  readonly words: readonly string[];
  readonly json: unknown;
}

const overflow =
  /prompt is too long|context[ _]length|context[ _]window|context limit|maximum context|context[ _]size|input is too long|too large for model|input token count.*exceeds|exceeds? the (?:maximum|max) (?:number of )?(?:input )?tokens|request_too_large|too many (?:input )?tokens in/i;
const filtered =
  /content[ _-]?filter|content[ _]policy|responsibleai|usage polic|safety (?:system|polic)|flagged|prohibited_content|blocked by/i;
const noCredit =
  /insufficient[ _](?:quota|balance|credit|funds)|credit balance|billing[ _](?:hard[ _]limit|not[ _]active)|exceeded your current quota|out of credits|payment required|spend(?:ing)? limit/i;
const windowUsed =
  /usage[ _]limit[ _]?(?:has been )?(?:reached|exceeded)|usage_limit|api usage limits|regain access|(?:weekly|daily|monthly|5[- ]hour|hour) (?:usage )?limit|limit will reset|usage window/i;
const badKey =
  /invalid[ _](?:x-)?api[ _-]?key|incorrect api key|api key not valid|invalid_authentication|authentication[ _](?:error|fails|failed)|unauthorized|no auth credentials|missing.{0,20}api key/i;
const noModel =
  /model[ _]not[ _]found|unknown[ _]model|model[^.]{0,80}(?:not found|does not exist|not exist|not supported|is not a valid)|not a valid model|no such model|no endpoints found|^model: /i;
const badToolCall =
  /tool_use_failed|malformed[ _]function[ _]call|failed to parse tool call|invalid tool call/i;
const overloaded =
  /overloaded|at capacity|over capacity|model is (?:currently )?loading|engine is busy|server is busy/i;
const timeoutCodes = new Set([
  'ETIMEDOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/**
 * The code of a failed call, from status, body and headers of Anthropic, OpenAI and the many servers that speak
 * OpenAI's language. Pure. Words weigh more than the status, because the same status means different things:
 * 429 is a rate, an empty account or a used-up subscription; 400 is a bad request, an overflow, or no credit.
 */
export function classifyFailure(failure: ProviderFailure, nowMs: number): Classified {
  const headers = failure.headers ?? {};
  const said = readBody(failure);
  const waitMs = retryAfterMs(headers, nowMs) ?? waitInBody(said.json);
  const returnsAtMs = windowReturnMs(headers, said, nowMs);
  const verdict = (code: Classified['code']): Classified => ({
    code,
    said: said.message,
    waitMs,
    returnsAtMs:
      code === 'MODEL_WINDOW_EXHAUSTED' ? (returnsAtMs ?? (waitMs === null ? null : nowMs + waitMs)) : null,
  });
  return verdict(codeOf(failure, said, headers, waitMs));
}

function codeOf(
  failure: ProviderFailure,
  said: Said,
  headers: Headers,
  waitMs: number | null,
): Classified['code'] {
  const { status } = failure;
  if (status === undefined) return networkCode(failure, said);
  const text = `${said.words.join(' ')} ${said.message}`;
  const isClientError = status >= 400 && status < 500;
  if (status === 407) return 'MODEL_UNREACHABLE';
  if (status === 402) return 'MODEL_QUOTA_EXHAUSTED';
  if (isClientError || said.words.length > 0) {
    if (headers['anthropic-ratelimit-unified-status'] === 'rejected') return 'MODEL_WINDOW_EXHAUSTED';
    if (windowUsed.test(text)) return 'MODEL_WINDOW_EXHAUSTED';
    // Gemini says "exceeded your current quota" for its rates too, but then tells when to come back.
    if (noCredit.test(text) && !(status === 429 && waitMs !== null && !/insufficient/i.test(text))) {
      return 'MODEL_QUOTA_EXHAUSTED';
    }
  }
  if (status === 401 || (isClientError && badKey.test(text))) return 'MODEL_KEY_REJECTED';
  if (status === 529 || overloaded.test(text)) return 'MODEL_OVERLOADED';
  if (
    status === 429 ||
    said.words.includes('rate_limit_error') ||
    said.words.includes('rate_limit_exceeded')
  ) {
    return 'MODEL_RATE_LIMITED';
  }
  if (badToolCall.test(text)) return 'MODEL_TOOL_CALL_MALFORMED';
  if (isClientError && noModel.test(text)) return 'MODEL_UNKNOWN';
  if (status === 413 || (overflow.test(text) && status !== 503)) return 'MODEL_CONTEXT_OVERFLOW';
  if ((isClientError && filtered.test(text)) || said.words.includes('invalid_prompt')) return 'MODEL_REFUSED';
  if (status === 403) return 'MODEL_KEY_REJECTED';
  if (status === 404 && said.words.includes('not_found_error')) return 'MODEL_UNKNOWN';
  if (status === 408 || status === 504) return 'MODEL_TIMEOUT';
  if (status === 503) return 'MODEL_OVERLOADED';
  if (status >= 500 || status === 409 || status === 425) return 'MODEL_UNAVAILABLE';
  return 'MODEL_REQUEST_REJECTED';
}

function networkCode(failure: ProviderFailure, said: Said): Classified['code'] {
  const text = `${said.words.join(' ')} ${said.message}`;
  if (said.words.length > 0) {
    // An error event in a stream, without a status.
    if (overloaded.test(text)) return 'MODEL_OVERLOADED';
    if (overflow.test(text)) return 'MODEL_CONTEXT_OVERFLOW';
    if (/rate[ _]limit/i.test(text)) return 'MODEL_RATE_LIMITED';
    if (noCredit.test(text)) return 'MODEL_QUOTA_EXHAUSTED';
    if (badToolCall.test(text)) return 'MODEL_TOOL_CALL_MALFORMED';
    if (filtered.test(text)) return 'MODEL_REFUSED';
    return 'MODEL_UNAVAILABLE';
  }
  if (failure.networkCode !== undefined && timeoutCodes.has(failure.networkCode)) return 'MODEL_TIMEOUT';
  if (failure.begun) return 'MODEL_STREAM_TRUNCATED';
  return 'MODEL_UNREACHABLE';
}

/** No provider says more than this; patterns are not run over whole bodies of whoever answers. */
const mostSaid = 4000;

function readBody(failure: ProviderFailure): Said {
  const said = readWholeBody(failure);
  return {
    ...said,
    message: said.message.slice(0, mostSaid),
    words: said.words.map((word) => word.slice(0, 100)),
  };
}

function readWholeBody(failure: ProviderFailure): Said {
  const body = failure.body?.trim() ?? '';
  let json: unknown = null;
  try {
    json = JSON.parse(body);
  } catch {
    const isPage = body.startsWith('<');
    const plain = body === '' || isPage ? failure.message : body;
    return { message: plain, words: [], json: null };
  }
  const root = asRecord(Array.isArray(json) ? json[0] : json);
  const inner =
    typeof root['error'] === 'string'
      ? { message: root['error'] }
      : asRecord(root['error'] ?? asRecord(root['response'])['error']);
  const error = Object.keys(inner).length > 0 ? inner : root;
  const metadata = asRecord(error['metadata']);
  const message = [error['message'], error['detail'], root['message'], metadata['raw']].find(
    (item) => typeof item === 'string',
  );
  const words = [error['type'], error['code'], error['status'], asRecord(error['innererror'])['code']]
    .filter((word): word is string => typeof word === 'string' && word !== 'error')
    .map((word) => word.toLowerCase());
  return { message: typeof message === 'string' ? message : failure.message, words, json };
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

/** Google's RetryInfo (`retryDelay: "37s"`), which its OpenAI-compatible door hands through. */
function waitInBody(json: unknown): number | null {
  const root = asRecord(Array.isArray(json) ? json[0] : json);
  const details = asRecord(root['error'])['details'];
  if (!Array.isArray(details)) return null;
  for (const detail of details) {
    const delay = asRecord(detail)['retryDelay'];
    if (typeof delay === 'string') return goDurationMs(delay);
  }
  return null;
}

/** When a used-up window opens again: Anthropic's unified header, `resets_at` of OpenAI's plans, or a date in the text. */
function windowReturnMs(headers: Headers, said: Said, nowMs: number): number | null {
  const unified = Number(headers['anthropic-ratelimit-unified-reset']);
  if (Number.isFinite(unified) && unified > 0) return unified * 1000;
  const error = asRecord(asRecord(said.json)['error']);
  if (typeof error['resets_at'] === 'number') return error['resets_at'] * 1000;
  if (typeof error['resets_in_seconds'] === 'number') return nowMs + error['resets_in_seconds'] * 1000;
  // "Claude AI usage limit reached|1763740800"
  const epoch = /\|(\d{10})\b/.exec(said.message);
  if (epoch !== null) return Number(epoch[1]) * 1000;
  // "You will regain access on 2026-12-01 at 00:00 UTC."; "Your limit will reset at 2026-12-01 00:00:00"
  const date = /(\d{4}-\d{2}-\d{2})(?:[ T]|\s+at\s+)?(\d{2}:\d{2}(?::\d{2})?)?/.exec(said.message);
  if (date === null) return null;
  const atMs = Date.parse(`${date[1]}T${date[2] ?? '00:00'}Z`);
  return Number.isFinite(atMs) ? atMs : null;
}
