import type { Classified, ProviderFailure } from '../models/classify.ts';

const anthropic = (type: string, message: string): string =>
  JSON.stringify({ type: 'error', error: { type, message } });
export const openaiError = (
  message: string,
  code: string | null = null,
  type = 'invalid_request_error',
): string => JSON.stringify({ error: { message, type, param: null, code } });

type Failure = readonly [what: string, code: Classified['code'], failure: Partial<ProviderFailure>];

/** How providers say no, as they were seen to, and what it means. */
export const providerFailures: readonly Failure[] = [
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
    { status: 401, body: openaiError('Incorrect API key provided: sk-abc****wxyz.', 'invalid_api_key') },
  ],
  [
    'OpenAI, unknown model',
    'MODEL_UNKNOWN',
    {
      status: 404,
      body: openaiError(
        'The model `gpt-nope` does not exist or you do not have access to it.',
        'model_not_found',
      ),
    },
  ],
  [
    'OpenAI, no credit',
    'MODEL_QUOTA_EXHAUSTED',
    {
      status: 429,
      body: openaiError(
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
      body: openaiError('You exceeded your current quota.', 'insufficient_quota', 'insufficient_quota'),
      headers: { 'retry-after': '20' },
    },
  ],
  [
    'OpenAI, rate',
    'MODEL_RATE_LIMITED',
    {
      status: 429,
      body: openaiError(
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
      body: openaiError("This model's maximum context length is 128000 tokens.", 'context_length_exceeded'),
    },
  ],
  [
    'OpenAI, usage policy',
    'MODEL_REFUSED',
    {
      status: 400,
      body: openaiError(
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
    { status: 503, body: openaiError('The engine is currently overloaded', null, 'server_error') },
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
    { status: 402, body: openaiError('Insufficient Balance', 'invalid_request_error', 'unknown_error') },
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
    { status: 404, body: openaiError('model "nope" not found, try pulling it first', null, 'api_error') },
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
    {
      status: 400,
      body: openaiError('Failed to call a function. Please adjust your prompt.', 'tool_use_failed'),
    },
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
