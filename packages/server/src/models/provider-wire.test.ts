import { describe, expect, test } from 'vitest';
import type { AssistantPart, Message, ModelRequest } from '../domain/ports/model.ts';
import { fakeKey, fakeModel, startFakeProvider, wires } from '../testing/fake-provider.ts';
import { contractRequest, contractTools, userMessage } from '../testing/model-contract.ts';
import { rawServer, sendEvents } from '../testing/raw-server.ts';

const open = new AbortController().signal;

/** Answers every request with these events and keeps what was sent. */
async function recorder(events: readonly object[]) {
  const bodies: string[] = [];
  const headers: Record<string, unknown>[] = [];
  const server = await rawServer((request, response, body) => {
    bodies.push(body);
    headers.push(request.headers);
    sendEvents(response, events);
    response.end();
  });
  return { ...server, bodies, headers, [Symbol.asyncDispose]: server[Symbol.asyncDispose] };
}

const usage = {
  input_tokens: 20,
  cache_read_input_tokens: 900,
  cache_creation_input_tokens: 80,
  output_tokens: 1,
};
const anthropicHead = {
  type: 'message_start',
  message: { id: 'm', type: 'message', role: 'assistant', model: 'x', content: [], stop_reason: null, usage },
};
const anthropicTail = (reason: string) => [
  {
    type: 'message_delta',
    delta: { stop_reason: reason, stop_sequence: null },
    usage: { output_tokens: 42 },
  },
  { type: 'message_stop' },
];
const anthropicCall = (input: string) => [
  {
    type: 'content_block_start',
    index: 0,
    content_block: { type: 'tool_use', id: 'toolu_1', name: 'read', input: {} },
  },
  { type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: input } },
  { type: 'content_block_stop', index: 0 },
];
const chatHead = { id: 'c', created: 1, model: 'x' };
const chatCall = (input: string) => [
  {
    ...chatHead,
    choices: [
      {
        index: 0,
        delta: {
          role: 'assistant',
          tool_calls: [
            { index: 0, id: 'call_1', type: 'function', function: { name: 'read', arguments: '' } },
          ],
        },
      },
    ],
  },
  {
    ...chatHead,
    choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: input } }] } }],
  },
  { ...chatHead, choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] },
  {
    ...chatHead,
    choices: [],
    usage: {
      prompt_tokens: 50,
      completion_tokens: 9,
      prompt_tokens_details: { cached_tokens: 30 },
      completion_tokens_details: { reasoning_tokens: 4 },
    },
  },
];
const responsesCall = (input: string) => [
  { type: 'response.created', response: { id: 'r', created_at: 1, model: 'x' } },
  {
    type: 'response.output_item.added',
    output_index: 0,
    item: { type: 'function_call', id: 'fc', call_id: 'call_1', name: 'read', arguments: '' },
  },
  { type: 'response.function_call_arguments.delta', item_id: 'fc', output_index: 0, delta: input },
  {
    type: 'response.output_item.done',
    output_index: 0,
    item: {
      type: 'function_call',
      id: 'fc',
      call_id: 'call_1',
      name: 'read',
      arguments: input,
      status: 'completed',
    },
  },
  {
    type: 'response.completed',
    response: {
      id: 'r',
      usage: {
        input_tokens: 50,
        input_tokens_details: { cached_tokens: 30 },
        output_tokens: 9,
        output_tokens_details: { reasoning_tokens: 4 },
      },
    },
  },
];
const callEvents = (wire: (typeof wires)[number], input: string): readonly object[] => {
  if (wire === 'anthropic') return [anthropicHead, ...anthropicCall(input), ...anthropicTail('tool_use')];
  return wire === 'openai' ? responsesCall(input) : chatCall(input);
};

describe.each(wires)('%s', (wire) => {
  test.each(['{"path": "a.ts"', 'path=a.ts', '["a.ts"]', '"a.ts"', 'null'])(
    'hands on the malformed arguments %s as raw text',
    async (raw) => {
      await using server = await recorder(callEvents(wire, raw));
      const answer = await fakeModel(wire, server.url).call(contractRequest([userMessage('x')]), {
        signal: open,
      });
      expect(answer.finish).toBe('tool-calls');
      expect(answer.parts).toMatchObject([{ type: 'tool-call', name: 'read', input: null, malformed: raw }]);
    },
  );

  test('takes a malformed call, an odd name and a foreign id back without breaking the conversation', async () => {
    await using server = await recorder(callEvents(wire, '{}'));
    const parts: AssistantPart[] = [
      { type: 'text', text: '  ' },
      {
        type: 'tool-call',
        id: 'id with spaces and ünïcode',
        name: 'no such tool!',
        input: null,
        malformed: '{"a',
      },
      { type: 'tool-call', id: 'x'.repeat(200), name: '', input: ['list'] },
    ];
    const results: Message = {
      role: 'tool',
      parts: parts.flatMap((part) =>
        part.type === 'tool-call'
          ? [{ type: 'tool-result' as const, id: part.id, name: part.name, text: '', isError: true }]
          : [],
      ),
    };
    await fakeModel(wire, server.url).call(
      contractRequest([userMessage('x'), { role: 'assistant', parts }, results]),
      { signal: open },
    );
    const sent = server.bodies[0]!;
    expect(sent).toContain('malformed_arguments');
    expect(sent).toContain('no_such_tool_');
    expect(sent).not.toContain('ünïcode');
    expect(sent).not.toContain('x'.repeat(65));
  });

  test('sends the same prefix byte for byte when the conversation goes on', async () => {
    await using server = await recorder(callEvents(wire, '{"path":"a.ts"}'));
    const model = fakeModel(wire, server.url);
    const first = contractRequest([userMessage('Fix it.')], 'first');
    const answer = await model.call(first, { signal: open });
    const grown: Message[] = [
      ...first.messages,
      { role: 'assistant', parts: answer.parts },
      {
        role: 'tool',
        parts: [{ type: 'tool-result', id: 'call_1', name: 'read', text: 'empty', isError: false }],
      },
    ];
    await model.call(contractRequest(grown, 'second'), { signal: open });
    await model.call(contractRequest(first.messages, 'third'), { signal: open });
    const [one, two, three] = server.bodies.map((body) =>
      withoutMarks(JSON.parse(body) as Record<string, unknown>),
    );
    expect(server.bodies[2]).toBe(server.bodies[0]);
    expect(three).toEqual(one);
    const list = (body: Record<string, unknown>): string => JSON.stringify(body['messages'] ?? body['input']);
    expect(list(two!).startsWith(list(one!).slice(0, -1))).toBe(true);
    const rest = (body: Record<string, unknown>): string =>
      JSON.stringify({ ...body, messages: 0, input: 0 });
    expect(rest(two!)).toBe(rest(one!));
  });

  test('reports no telemetry, sends the key in a header only, and no id of ours', async () => {
    await using server = await recorder(callEvents(wire, '{}'));
    const request: ModelRequest = {
      ...contractRequest([userMessage('x')], 'call-id-of-ours'),
      purpose: 'purpose-of-ours',
    };
    await fakeModel(wire, server.url).call(request, { signal: open });
    expect(server.bodies).toHaveLength(1);
    expect(server.bodies[0]).not.toContain(fakeKey);
    expect(server.bodies[0]).not.toContain('of-ours');
    expect(JSON.stringify(server.headers[0])).toContain(fakeKey);
  });
});

function withoutMarks(value: Record<string, unknown>): Record<string, unknown> {
  return JSON.parse(
    JSON.stringify(value, (key, inner: unknown) => (key === 'cache_control' ? undefined : inner)),
  ) as Record<string, unknown>;
}

test('counts cached, written and reasoning tokens within the totals', async () => {
  await using anthropic = await recorder(callEvents('anthropic', '{}'));
  const one = await fakeModel('anthropic', anthropic.url).call(contractRequest([userMessage('x')]), {
    signal: open,
  });
  expect(one.usage).toEqual({
    inputTokens: 1000,
    cachedInputTokens: 900,
    cacheWriteTokens: 80,
    outputTokens: 42,
    reasoningTokens: 0,
  });
  for (const wire of ['openai', 'openai-compatible'] as const) {
    await using server = await recorder(callEvents(wire, '{}'));
    const answer = await fakeModel(wire, server.url).call(contractRequest([userMessage('x')]), {
      signal: open,
    });
    expect(answer.usage).toEqual({
      inputTokens: 50,
      cachedInputTokens: 30,
      cacheWriteTokens: 0,
      outputTokens: 9,
      reasoningTokens: 4,
    });
  }
});

test('marks tools, system and the two last inputs for the Anthropic cache, and nothing else', async () => {
  await using server = await recorder(callEvents('anthropic', '{}'));
  const call = (id: string): AssistantPart => ({ type: 'tool-call', id, name: 'read', input: {} });
  const result = (id: string): Message => ({
    role: 'tool',
    parts: [{ type: 'tool-result', id, name: 'read', text: 'ok', isError: false }],
  });
  const messages: Message[] = [
    userMessage('x'),
    { role: 'assistant', parts: [call('a')] },
    result('a'),
    { role: 'assistant', parts: [call('b')] },
    result('b'),
  ];
  await fakeModel('anthropic', server.url).call(
    { ...contractRequest(messages), tools: [...contractTools, { ...contractTools[0]!, name: 'list' }] },
    { signal: open },
  );
  const body = JSON.parse(server.bodies[0]!) as {
    tools: object[];
    system: object[];
    messages: { content: object[] }[];
  };
  const marked = (items: readonly object[]): boolean[] => items.map((item) => 'cache_control' in item);
  expect(marked(body.tools)).toEqual([false, true]);
  expect(marked(body.system)).toEqual([true]);
  expect(body.messages.map((message) => marked(message.content).includes(true))).toEqual([
    false,
    false,
    true,
    false,
    true,
  ]);
});

test.each([
  ['refusal', 'refusal'],
  ['max_tokens', 'length'],
  ['end_turn', 'stop'],
])('maps the stop reason %s', async (reason, finish) => {
  await using server = await recorder([anthropicHead, ...anthropicTail(reason)]);
  const answer = await fakeModel('anthropic', server.url).call(contractRequest([userMessage('x')]), {
    signal: open,
  });
  expect(answer.finish).toBe(finish);
});

test('sends Anthropic its signed reasoning back, and drops what another provider signed', async () => {
  await using provider = await startFakeProvider();
  provider.on({ hasToolResult: true }, { content: 'Done.' });
  provider.on(
    {},
    {
      reasoning: 'Let me think.',
      reasoningSignature: 'signed-by-anthropic',
      toolCalls: [{ name: 'read', arguments: '{}', id: 'toolu_9' }],
    },
  );
  const model = fakeModel('anthropic', provider.url);
  const asked = userMessage('x');
  const first = await model.call(contractRequest([asked]), { signal: open });
  expect(first.parts[0]).toEqual({
    type: 'reasoning',
    text: 'Let me think.',
    providerData: { anthropic: { signature: 'signed-by-anthropic' } },
  });
  // Through the event log, as JSON.
  const kept = JSON.parse(JSON.stringify(first.parts)) as AssistantPart[];
  const messages: Message[] = [
    asked,
    {
      role: 'assistant',
      parts: [
        { type: 'reasoning', text: 'foreign thought', providerData: { openai: { itemId: 'rs_1' } } },
        ...kept,
      ],
    },
    {
      role: 'tool',
      parts: [{ type: 'tool-result', id: 'toolu_9', name: 'read', text: 'ok', isError: false }],
    },
  ];
  await model.call(contractRequest(messages), { signal: open });
  await using server = await recorder(callEvents('anthropic', '{}'));
  await fakeModel('anthropic', server.url).call(contractRequest(messages), { signal: open });
  expect(server.bodies[0]).toContain(
    '{"type":"thinking","thinking":"Let me think.","signature":"signed-by-anthropic"}',
  );
  expect(server.bodies[0]).not.toContain('foreign thought');
});

test('sends OpenAI its encrypted reasoning back', async () => {
  await using provider = await startFakeProvider();
  provider.on(
    {},
    { reasoning: 'Let me think.', toolCalls: [{ name: 'read', arguments: '{}', id: 'call_9' }] },
  );
  const first = await fakeModel('openai', provider.url).call(contractRequest([userMessage('x')]), {
    signal: open,
  });
  const reasoning = first.parts.find((part) => part.type === 'reasoning');
  expect(reasoning?.providerData).toHaveProperty('openai.reasoningEncryptedContent');
  await using server = await recorder(callEvents('openai', '{}'));
  const messages: Message[] = [
    userMessage('x'),
    { role: 'assistant', parts: JSON.parse(JSON.stringify(first.parts)) as AssistantPart[] },
    {
      role: 'tool',
      parts: [{ type: 'tool-result', id: 'call_9', name: 'read', text: 'ok', isError: false }],
    },
  ];
  await fakeModel('openai', server.url).call(contractRequest(messages), { signal: open });
  expect(server.bodies[0]).toMatch(/"type":"reasoning"[^}]*"encrypted_content":"[^"]+"/);
  expect(server.bodies[0]).toContain('"store":false');
});

test('sends plain reasoning back to compatible servers, except to those that refuse it', async () => {
  const parts: AssistantPart[] = [
    { type: 'reasoning', text: 'plain thought' },
    { type: 'reasoning', text: 'signed thought', providerData: { anthropic: { signature: 's' } } },
    { type: 'text', text: 'Hm.' },
  ];
  const request = contractRequest([userMessage('x'), { role: 'assistant', parts }, userMessage('y')]);
  for (const returnReasoning of [true, false]) {
    await using server = await recorder(callEvents('openai-compatible', '{}'));
    await fakeModel('openai-compatible', server.url, { returnReasoning }).call(request, { signal: open });
    expect(server.bodies[0]!.includes('"reasoning_content":"plain thought"')).toBe(returnReasoning);
    expect(server.bodies[0]).not.toContain('signed thought');
  }
  await using server = await recorder(callEvents('anthropic', '{}'));
  await fakeModel('anthropic', server.url).call(request, { signal: open });
  expect(server.bodies[0]).toContain('signed thought');
  expect(server.bodies[0]).not.toContain('plain thought');
});

test('usage that a server does not report is estimated, never taken for nothing', async () => {
  await using server = await recorder(chatCall('{"path":"a.ts"}').slice(0, 3));
  const { usage: told } = await fakeModel('openai-compatible', server.url).call(
    contractRequest([userMessage('x')]),
    { signal: open },
  );
  expect(told.inputTokens).toBeGreaterThan(30);
  expect(told.outputTokens).toBeGreaterThan(5);
});
