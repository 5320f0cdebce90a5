import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { errorRegistry } from '../domain/errors/index.ts';
import { classifyFailure } from './classify.ts';
import type { Classified, ProviderFailure } from './classify.ts';

const nowMs = Date.parse('2026-11-21T12:00:00Z');
const anthropic = (type: string, message: string): string =>
  JSON.stringify({ type: 'error', error: { type, message } });
const openai = (message: string, code: string | null = null, type = 'invalid_request_error'): string =>
  JSON.stringify({ error: { message, type, param: null, code } });

type Case = readonly [what: string, code: Classified['code'], failure: Partial<ProviderFailure>];

const cases: readonly Case[] = [
  [
    'Anthropic, bad key',
    'MODEL_KEY_REJECTED',
    { status: 401, body: anthropic('authentication_error', 'invalid x-api-key') },
  ],
  [
    'Anthropic, key without the right',
    'MODEL_KEY_REJECTED',
    {
      status: 403,
      body: anthropic(
        'permission_error',
        'Your API key does not have permission to use the specified resource.',
      ),
    },
  ],
  [
    'Anthropic, unknown model',
    'MODEL_UNKNOWN',
    { status: 404, body: anthropic('not_found_error', 'model: claude-nope') },
  ],
  [
    'Anthropic, no credit',
    'MODEL_QUOTA_EXHAUSTED',
    {
      status: 400,
      body: anthropic(
        'invalid_request_error',
        'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.',
      ),
    },
  ],
  [
    'Anthropic, spend limit with a date',
    'MODEL_WINDOW_EXHAUSTED',
    {
      status: 400,
      body: anthropic(
        'invalid_request_error',
        'You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.',
      ),
    },
  ],
  [
    'Anthropic, subscription window',
    'MODEL_WINDOW_EXHAUSTED',
    {
      status: 429,
      body: anthropic('rate_limit_error', "This request would exceed your account's rate limit."),
      headers: {
        'anthropic-ratelimit-unified-status': 'rejected',
        'anthropic-ratelimit-unified-reset': '1763740800',
      },
    },
  ],
  [
    'Anthropic, rate',
    'MODEL_RATE_LIMITED',
    {
      status: 429,
      body: anthropic(
        'rate_limit_error',
        'This request would exceed the rate limit for your organization of 40,000 input tokens per minute.',
      ),
    },
  ],
  [
    'Anthropic, overloaded',
    'MODEL_OVERLOADED',
    { status: 529, body: anthropic('overloaded_error', 'Overloaded') },
  ],
  [
    'Anthropic, overloaded inside a stream',
    'MODEL_OVERLOADED',
    { body: anthropic('overloaded_error', 'Overloaded'), begun: true },
  ],
  [
    'Anthropic, overflow',
    'MODEL_CONTEXT_OVERFLOW',
    {
      status: 400,
      body: anthropic('invalid_request_error', 'prompt is too long: 208310 tokens > 200000 maximum'),
    },
  ],
  [
    'Anthropic, overflow with output',
    'MODEL_CONTEXT_OVERFLOW',
    {
      status: 400,
      body: anthropic(
        'invalid_request_error',
        'input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000',
      ),
    },
  ],
  [
    'Anthropic, request in bytes',
    'MODEL_CONTEXT_OVERFLOW',
    { status: 413, body: anthropic('request_too_large', 'Request exceeds the maximum size') },
  ],
  [
    'Anthropic, filter',
    'MODEL_REFUSED',
    { status: 400, body: anthropic('invalid_request_error', 'Output blocked by content filtering policy') },
  ],
  [
    'Anthropic, bad request',
    'MODEL_REQUEST_REJECTED',
    {
      status: 400,
      body: anthropic('invalid_request_error', 'messages.1.content.0.tool_use.id: Field required'),
    },
  ],
  [
    'Anthropic, 500',
    'MODEL_UNAVAILABLE',
    { status: 500, body: anthropic('api_error', 'Internal server error') },
  ],
  [
    'OpenAI, bad key',
    'MODEL_KEY_REJECTED',
    { status: 401, body: openai('Incorrect API key provided: sk-abc****wxyz.', 'invalid_api_key') },
  ],
  [
    'OpenAI, unknown model',
    'MODEL_UNKNOWN',
    {
      status: 404,
      body: openai('The model `gpt-nope` does not exist or you do not have access to it.', 'model_not_found'),
    },
  ],
  [
    'OpenAI, no credit',
    'MODEL_QUOTA_EXHAUSTED',
    {
      status: 429,
      body: openai(
        'You exceeded your current quota, please check your plan and billing details.',
        'insufficient_quota',
        'insufficient_quota',
      ),
    },
  ],
  [
    'OpenAI, no credit with Retry-After',
    'MODEL_QUOTA_EXHAUSTED',
    {
      status: 429,
      body: openai('You exceeded your current quota.', 'insufficient_quota', 'insufficient_quota'),
      headers: { 'retry-after': '20' },
    },
  ],
  [
    'OpenAI, rate',
    'MODEL_RATE_LIMITED',
    {
      status: 429,
      body: openai(
        'Rate limit reached for gpt-5 on tokens per min (TPM): Limit 30000, Used 29000. Please try again in 6s.',
        'rate_limit_exceeded',
        'tokens',
      ),
    },
  ],
  [
    'OpenAI, plan window',
    'MODEL_WINDOW_EXHAUSTED',
    {
      status: 429,
      body: JSON.stringify({
        error: {
          type: 'usage_limit_reached',
          message: 'The usage limit has been reached',
          resets_at: 1763740800,
        },
      }),
    },
  ],
  [
    'OpenAI, overflow',
    'MODEL_CONTEXT_OVERFLOW',
    {
      status: 400,
      body: openai("This model's maximum context length is 128000 tokens.", 'context_length_exceeded'),
    },
  ],
  [
    'OpenAI, usage policy',
    'MODEL_REFUSED',
    {
      status: 400,
      body: openai(
        'Invalid prompt: your prompt was flagged as potentially violating our usage policy.',
        'invalid_prompt',
      ),
    },
  ],
  [
    'Azure, filter',
    'MODEL_REFUSED',
    {
      status: 400,
      body: JSON.stringify({
        error: {
          message:
            "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
          code: 'content_filter',
          innererror: { code: 'ResponsibleAIPolicyViolation' },
        },
      }),
    },
  ],
  [
    'OpenAI, failed inside a stream',
    'MODEL_UNAVAILABLE',
    {
      body: JSON.stringify({
        type: 'response.failed',
        response: { error: { code: 'server_error', message: 'An error occurred.' } },
      }),
      begun: true,
    },
  ],
  [
    'OpenAI, 503',
    'MODEL_OVERLOADED',
    { status: 503, body: openai('The engine is currently overloaded', null, 'server_error') },
  ],
  [
    'Gemini, bad key',
    'MODEL_KEY_REJECTED',
    {
      status: 400,
      body: JSON.stringify([
        {
          error: {
            code: 400,
            message: 'API key not valid. Please pass a valid API key.',
            status: 'INVALID_ARGUMENT',
          },
        },
      ]),
    },
  ],
  [
    'Gemini, rate with RetryInfo',
    'MODEL_RATE_LIMITED',
    {
      status: 429,
      body: JSON.stringify([
        {
          error: {
            code: 429,
            message: 'You exceeded your current quota, please check your plan.',
            status: 'RESOURCE_EXHAUSTED',
            details: [{ retryDelay: '37s' }],
          },
        },
      ]),
    },
  ],
  [
    'DeepSeek, no balance',
    'MODEL_QUOTA_EXHAUSTED',
    { status: 402, body: openai('Insufficient Balance', 'invalid_request_error', 'unknown_error') },
  ],
  [
    'OpenRouter, unknown model',
    'MODEL_UNKNOWN',
    {
      status: 400,
      body: JSON.stringify({ error: { message: 'foo/bar is not a valid model ID', code: 400 } }),
    },
  ],
  [
    'Ollama, unknown model',
    'MODEL_UNKNOWN',
    { status: 404, body: openai('model "nope" not found, try pulling it first', null, 'api_error') },
  ],
  [
    'vLLM, unknown model',
    'MODEL_UNKNOWN',
    {
      status: 404,
      body: JSON.stringify({
        object: 'error',
        message: 'The model `x` does not exist.',
        type: 'NotFoundError',
        code: 404,
      }),
    },
  ],
  [
    'vLLM, overflow',
    'MODEL_CONTEXT_OVERFLOW',
    {
      status: 400,
      body: JSON.stringify({
        object: 'error',
        message: "This model's maximum context length is 32768 tokens. However, you requested 40000 tokens",
        code: 400,
      }),
    },
  ],
  [
    'llama.cpp, overflow',
    'MODEL_CONTEXT_OVERFLOW',
    {
      status: 400,
      body: JSON.stringify({
        error: {
          code: 400,
          message: 'the request exceeds the available context size',
          type: 'exceed_context_size_error',
        },
      }),
    },
  ],
  [
    'llama.cpp, loading',
    'MODEL_OVERLOADED',
    {
      status: 503,
      body: JSON.stringify({ error: { code: 503, message: 'Loading model', type: 'unavailable_error' } }),
    },
  ],
  [
    'Groq, malformed tool call',
    'MODEL_TOOL_CALL_MALFORMED',
    { status: 400, body: openai('Failed to call a function. Please adjust your prompt.', 'tool_use_failed') },
  ],
  [
    'a wrong base URL',
    'MODEL_REQUEST_REJECTED',
    { status: 404, body: '<html><h1>404 Not Found</h1></html>' },
  ],
  ['a gateway', 'MODEL_UNAVAILABLE', { status: 502, body: '<html>Bad gateway</html>' }],
  ['a gateway time-out', 'MODEL_TIMEOUT', { status: 504, body: '' }],
  ['a proxy that wants a password', 'MODEL_UNREACHABLE', { status: 407 }],
  ['nobody listens', 'MODEL_UNREACHABLE', { networkCode: 'ECONNREFUSED' }],
  ['no such host', 'MODEL_UNREACHABLE', { networkCode: 'ENOTFOUND' }],
  ['no connection in time', 'MODEL_TIMEOUT', { networkCode: 'UND_ERR_CONNECT_TIMEOUT' }],
  ['connection lost in the middle', 'MODEL_STREAM_TRUNCATED', { networkCode: 'UND_ERR_SOCKET', begun: true }],
];

test.each(cases)('%s → %s', (_what, code, failure) => {
  expect(classifyFailure({ message: 'failed', begun: false, ...failure }, nowMs).code).toBe(code);
});

describe('the time a usage window opens again', () => {
  const returns = (failure: Partial<ProviderFailure>): string | null => {
    const { returnsAtMs } = classifyFailure({ message: '', begun: false, status: 429, ...failure }, nowMs);
    return returnsAtMs === null ? null : new Date(returnsAtMs).toISOString();
  };
  const header = { 'anthropic-ratelimit-unified-status': 'rejected' };

  test.each([
    [
      'the unified header',
      { headers: { ...header, 'anthropic-ratelimit-unified-reset': '1795266000' } },
      '2026-11-21T13:00:00.000Z',
    ],
    [
      'resets_at',
      {
        body: JSON.stringify({ error: { type: 'usage_limit_reached', message: 'x', resets_at: 1795266000 } }),
      },
      '2026-11-21T13:00:00.000Z',
    ],
    [
      'resets_in_seconds',
      {
        body: JSON.stringify({ error: { type: 'usage_limit_reached', message: 'x', resets_in_seconds: 60 } }),
      },
      '2026-11-21T12:01:00.000Z',
    ],
    [
      'a bar and seconds',
      { body: openai('Claude AI usage limit reached|1795266000') },
      '2026-11-21T13:00:00.000Z',
    ],
    [
      'a date',
      { body: openai('API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.') },
      '2026-12-01T00:00:00.000Z',
    ],
    [
      'a date and time',
      { body: openai('Usage limit reached for 5 hour. Your limit will reset at 2026-11-21 17:30:00') },
      '2026-11-21T17:30:00.000Z',
    ],
    ['Retry-After', { headers: { ...header, 'retry-after': '90' } }, '2026-11-21T12:01:30.000Z'],
    ['nothing', { headers: header }, null],
  ])('is read from %s', (_where, failure, expected) => {
    expect(returns(failure)).toBe(expected);
  });
});

test('any answer of any server gets a code of the registry', () => {
  fc.assert(
    fc.property(
      fc.option(fc.integer({ min: 100, max: 999 }), { nil: undefined }),
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.json().map((inner) => `{"error":${inner}}`),
      ),
      fc.dictionary(
        fc.constantFrom(
          'retry-after',
          'retry-after-ms',
          'anthropic-ratelimit-unified-reset',
          'x-ratelimit-reset-tokens',
        ),
        fc.string(),
      ),
      fc.boolean(),
      (status, body, headers, begun) => {
        const failure = { message: 'x', body, headers, begun, ...(status === undefined ? {} : { status }) };
        const { code, waitMs, said } = classifyFailure(failure, nowMs);
        expect(Object.hasOwn(errorRegistry, code)).toBe(true);
        expect(waitMs === null || waitMs >= 0).toBe(true);
        expect(typeof said).toBe('string');
      },
    ),
  );
});
