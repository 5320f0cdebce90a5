import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { BerthError } from '../domain/errors/index.ts';
import type { Model, ModelUsage } from '../domain/ports/model.ts';
import { fakeKey, fakeModel, startFakeProvider, wires } from '../testing/fake-provider.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { contractRequest, userMessage } from '../testing/model-contract.ts';
import { closedServer, rawServer, sendEvents } from '../testing/raw-server.ts';
import { estimateTokens } from './estimate.ts';
import { quickestMs } from '../testing/quickest.ts';

const open = new AbortController().signal;
const request = contractRequest([userMessage('Hello?')]);
const patient = { attempts: 3, totalMs: 120_000, firstWaitMs: 1000, longestWaitMs: 60_000 };
const openaiEnd = {
  type: 'response.completed',
  response: { id: 'r', usage: { input_tokens: 1, output_tokens: 1 } },
};

async function failureOf(model: Model, signal = open): Promise<BerthError> {
  const error: unknown = await model.call(request, { signal }).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BerthError);
  return error as BerthError;
}

let provider: Awaited<ReturnType<typeof startFakeProvider>>;
beforeAll(async () => {
  provider = await startFakeProvider();
});
afterAll(async () => {
  await provider.stop();
});
beforeEach(() => {
  provider.clearFixtures();
});

describe.each(wires)('%s', (wire) => {
  test.each([
    [
      401,
      {
        message: `invalid x-api-key: ${fakeKey} (sk-can***********cdef)`,
        type: 'authentication_error',
        code: 'invalid_api_key',
      },
      'MODEL_KEY_REJECTED',
    ],
    [
      404,
      { message: 'The model `nope` does not exist', type: 'not_found_error', code: 'model_not_found' },
      'MODEL_UNKNOWN',
    ],
    [
      429,
      { message: 'Too many requests', type: 'rate_limit_error', code: 'rate_limit_exceeded' },
      'MODEL_RATE_LIMITED',
    ],
    [
      429,
      { message: 'You exceeded your current quota', type: 'insufficient_quota', code: 'insufficient_quota' },
      'MODEL_QUOTA_EXHAUSTED',
    ],
    [529, { message: 'Overloaded', type: 'overloaded_error' }, 'MODEL_OVERLOADED'],
    [500, { message: 'Internal server error', type: 'api_error' }, 'MODEL_UNAVAILABLE'],
    [
      400,
      {
        message: 'prompt is too long: 210000 tokens > 200000 maximum',
        type: 'invalid_request_error',
        code: 'context_length_exceeded',
      },
      'MODEL_CONTEXT_OVERFLOW',
    ],
  ])('maps status %i', async (status, error, code) => {
    provider.on({}, { error, status });
    const failure = await failureOf(fakeModel(wire, provider.url));
    expect(failure.code).toBe(code);
    expect(failure.details['status']).toBe(status);
    const shown = JSON.stringify([
      failure.message,
      failure.next,
      failure.details,
      failure.stack,
      String(failure.cause),
    ]);
    expect(shown).not.toContain(fakeKey);
    expect(shown).not.toContain('cdef');
    expect(shown).not.toContain('Hello?');
  });

  test('waits as long as Retry-After says, tells it, and succeeds', async () => {
    provider.on(
      { sequenceIndex: 0 },
      { error: { message: 'slow down', type: 'rate_limit_error' }, status: 429, retryAfter: 7 },
    );
    provider.on({}, { content: 'Here.' });
    provider.resetMatchCounts();
    const clock = new ManualClock();
    const retries: object[] = [];
    const waiting = new Promise<void>((resolve) => {
      const call = fakeModel(wire, provider.url, { retry: patient }, clock).call(request, {
        signal: open,
        onRetry: (retry) => {
          retries.push(retry);
          resolve();
        },
      });
      answered = call;
    });
    await waiting;
    expect(retries).toEqual([
      { code: 'MODEL_RATE_LIMITED', waitMs: expect.any(Number) as number, attempt: 1 },
    ]);
    const { waitMs } = retries[0] as { waitMs: number };
    expect(waitMs).toBeGreaterThanOrEqual(7000);
    expect(waitMs).toBeLessThan(8000);
    await clock.advance(waitMs);
    expect((await answered!).parts.at(-1)).toEqual({ type: 'text', text: 'Here.' });
  });

  test('takes an answer that ends in the middle for truncated, never for an answer', async () => {
    provider.on(
      {},
      { content: 'This answer is rather long and is cut off in the middle.' },
      { chunkSize: 5, latency: 5, truncateAfterChunks: 5 },
    );
    const failure = await failureOf(fakeModel(wire, provider.url));
    expect(failure.code).toBe('MODEL_STREAM_TRUNCATED');
    expect(failure.retryable).toBe(true);
  });

  test('takes a body that ends cleanly, but without its last event, for truncated', async () => {
    await using server = await rawServer((_request, response) => {
      sendEvents(response, partialAnswer[wire]);
      response.end();
    });
    expect((await failureOf(fakeModel(wire, server.url))).code).toBe('MODEL_STREAM_TRUNCATED');
  });

  test('repeats a call whose answer broke off once, and counts what was lost', async () => {
    let calls = 0;
    await using server = await rawServer((_request, response) => {
      calls++;
      sendEvents(response, partialAnswer[wire]);
      response.end();
    });
    const failure = await failureOf(
      fakeModel(wire, server.url, { retry: { ...patient, firstWaitMs: 1, longestWaitMs: 1 } }),
    );
    expect(calls).toBe(2);
    expect(failure).toMatchObject({ code: 'MODEL_STREAM_TRUNCATED', details: { attempts: 2 } });
    const lost = failure.details['lostUsage'] as ModelUsage;
    expect(lost.inputTokens).toBe(2 * estimateTokens(request));
    expect(lost.outputTokens).toBe(2 * Math.ceil('half an ans'.length / 2));
  });

  test('adds what was lost to the usage of the answer that came', async () => {
    await using mock = await startFakeProvider();
    mock.on(
      {},
      {
        content: 'Here.',
        usage: { input_tokens: 10, output_tokens: 2, prompt_tokens: 10, completion_tokens: 2 },
      },
    );
    let calls = 0;
    await using server = await rawServer((incoming, response, body) => {
      calls++;
      if (calls === 1) {
        sendEvents(response, partialAnswer[wire]);
        response.end();
        return;
      }
      void fetch(`${mock.url}${incoming.url}`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json', authorization: 'x', 'x-api-key': 'x' },
      }).then(async (answer) => {
        sendEvents(response, [await answer.text()]);
        response.end();
      });
    });
    const retry = { ...patient, firstWaitMs: 1, longestWaitMs: 1 };
    const { usage } = await fakeModel(wire, server.url, { retry }).call(request, { signal: open });
    expect(usage.inputTokens).toBe(10 + estimateTokens(request));
    expect(usage.outputTokens).toBe(2 + 6);
  });

  test('maps an error event in the middle of a stream', async () => {
    await using server = await rawServer((_request, response) => {
      sendEvents(response, [...partialAnswer[wire], overloadEvent[wire]]);
      response.end();
    });
    expect((await failureOf(fakeModel(wire, server.url))).code).toBe('MODEL_OVERLOADED');
  });

  test('ends a silent call after the idle time-out', async () => {
    const clock = new ManualClock();
    const asked = Promise.withResolvers<void>();
    await using server = await rawServer(() => asked.resolve());
    const call = failureOf(fakeModel(wire, server.url, { idleTimeoutMs: 30_000 }, clock));
    await asked.promise;
    await clock.advance(30_000);
    const failure = await call;
    expect(failure.code).toBe('MODEL_TIMEOUT');
    expect(failure.message).toContain('30 s');
  });

  test('ends a call whose server only keeps the connection alive', async () => {
    const clock = new ManualClock();
    const asked = Promise.withResolvers<ServerResponse>();
    await using server = await rawServer((_request, response) => {
      sendEvents(response, [': ping\n\n']);
      asked.resolve(response);
    });
    const call = failureOf(fakeModel(wire, server.url, { idleTimeoutMs: 5_000_000 }, clock));
    await asked.promise;
    await clock.advance(3_600_000);
    expect(await call).toMatchObject({
      code: 'MODEL_TIMEOUT',
      message: expect.stringContaining('60 min') as string,
    });
  });

  test('is cancelled within 200 ms while the server is silent', async () => {
    const took = await quickestMs(200, async () => {
      const asked = Promise.withResolvers<void>();
      await using server = await rawServer(() => asked.resolve());
      const abort = new AbortController();
      const reason = new Error('cancelled');
      const call = fakeModel(wire, server.url).call(request, { signal: abort.signal });
      await asked.promise;
      const abortedAtMs = performance.now();
      abort.abort(reason);
      await expect(call).rejects.toBe(reason);
      return performance.now() - abortedAtMs;
    });
    expect(took).toBeLessThan(200);
  });

  test('reads only the beginning of an endless error, and shows no control characters of it', async () => {
    await using server = await rawServer((_request, response) => {
      response.writeHead(400, { 'content-type': 'text/plain' });
      const more = (): void => {
        while (response.writable && response.write(`${String.fromCodePoint(27)}[31mno${'!'.repeat(5000)}`));
      };
      response.on('drain', more);
      more();
    });
    const failure = await failureOf(fakeModel(wire, server.url));
    expect(failure.code).toBe('MODEL_REQUEST_REJECTED');
    expect(failure.message).not.toMatch(/\p{Cc}/u);
    expect(failure.message.length).toBeLessThan(700);
  });

  test('says that nobody is there', async () => {
    const failure = await failureOf(fakeModel(wire, await closedServer()));
    expect(failure.code).toBe('MODEL_UNREACHABLE');
    expect(failure.details['networkCode']).toBe('ECONNREFUSED');
  });

  test('does not follow a redirect with the key', async () => {
    let elsewhere = 0;
    await using other = await rawServer((_request, response) => {
      elsewhere++;
      response.end();
    });
    await using server = await rawServer((_request, response) => {
      response.writeHead(307, { location: `${other.url}/v1/steal` }).end();
    });
    expect((await failureOf(fakeModel(wire, server.url))).code).toBe('MODEL_UNREACHABLE');
    expect(elsewhere).toBe(0);
  });

  test('refuses a web page and a stream of nonsense', async () => {
    await using page = await rawServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in</html>');
    });
    expect((await failureOf(fakeModel(wire, page.url))).code).toBe('MODEL_ANSWER_INVALID');
    await using nonsense = await rawServer((_request, response) => {
      sendEvents(response, ['data: {"broken\n\n']);
      response.end();
    });
    expect((await failureOf(fakeModel(wire, nonsense.url))).code).toBe('MODEL_ANSWER_INVALID');
  });

  test('ends an answer that floods', async () => {
    await using server = await rawServer((_request, response) => {
      sendEvents(response, partialAnswer[wire]);
      const more = partialAnswer[wire].at(-1)!;
      const flood = JSON.parse(JSON.stringify(more).replace('half an ans', 'x'.repeat(50_000))) as object;
      sendEvents(
        response,
        Array.from({ length: 5 }, () => flood),
      );
    });
    const failure = await failureOf(fakeModel(wire, server.url));
    expect(failure.message).toContain('many times longer');
  });

  test('aborts a wait between two attempts at once', async () => {
    provider.on({}, { error: { message: 'down', type: 'api_error' }, status: 500 });
    const abort = new AbortController();
    const reason = new Error('cancelled while waiting');
    const call = fakeModel(wire, provider.url, { retry: patient }, new ManualClock()).call(request, {
      signal: abort.signal,
      onRetry: () => queueMicrotask(() => abort.abort(reason)),
    });
    await expect(call).rejects.toBe(reason);
  });
});

test('an answer of the Responses API that is only its end is an empty answer, not an error', async () => {
  await using server = await rawServer((_request, response) => {
    sendEvents(response, [openaiEnd]);
    response.end();
  });
  const answer = await fakeModel('openai', server.url).call(request, { signal: open });
  expect(answer).toMatchObject({ parts: [], finish: 'stop' });
});

let answered: ReturnType<Model['call']> | null = null;

const anthropicStart = {
  type: 'message_start',
  message: {
    id: 'm',
    type: 'message',
    role: 'assistant',
    model: 'x',
    content: [],
    stop_reason: null,
    usage: { input_tokens: 3, output_tokens: 1 },
  },
};
const partialAnswer = {
  anthropic: [
    anthropicStart,
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'half an ans' } },
  ],
  openai: [
    { type: 'response.created', response: { id: 'r', created_at: 1, model: 'x' } },
    { type: 'response.output_item.added', output_index: 0, item: { type: 'message', id: 'msg' } },
    {
      type: 'response.output_text.delta',
      item_id: 'msg',
      output_index: 0,
      content_index: 0,
      delta: 'half an ans',
    },
  ],
  'openai-compatible': [
    {
      id: 'c',
      created: 1,
      model: 'x',
      choices: [{ index: 0, delta: { role: 'assistant', content: 'half an ans' } }],
    },
  ],
} as const;
const overloadEvent = {
  anthropic: { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } },
  openai: {
    type: 'error',
    sequence_number: 4,
    error: { type: 'server_error', code: 'overloaded', message: 'The engine is overloaded', param: null },
  },
  'openai-compatible': {
    error: { message: 'The engine is overloaded', type: 'server_error', code: 'overloaded' },
  },
} as const;
