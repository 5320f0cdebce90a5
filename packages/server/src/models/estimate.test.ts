import fc from 'fast-check';
import { expect, test } from 'vitest';
import { contractTools, userMessage } from '../testing/model-contract.ts';
import { estimateGrownTokens, estimateTokens, textTokens } from './estimate.ts';

// What the tokenizers o200k_base and cl100k_base count, the higher of the two.
const counted: readonly (readonly [what: string, text: string, tokens: number])[] = [
  ['base64', 'pKvURIxJVi2CgRXROh/M6pJ/UrTVRZKX+LQ+QtqJI4vBNibkPcs43bCCSIkn7JBPtCBXRDmD6IWFF51QVRr+Yg==', 63],
  [
    'a hash',
    'a4abd4448c49562d828115d13a1fccea927f52b4d5459297f8b43e42da89238bc13626e43dcb38ddb082488927ec904fb42057443983e88585179d50551afe62',
    63,
  ],
  [
    'random letters',
    'akabdkkkbckpwvjdbjbxxwdxzaxfcceapjyfwjbkdwkwpjpyfbbkzekjdabpjzbbcxzvjvekzdcbzbddbqbjkbbpjyecpqkfbkjqwykkzpbzebbwbwxypdwqwwxafevj',
    72,
  ],
  ['Chinese', '修复日期解析中的时区错误，并添加测试。', 14],
  ['emoji', '🚀🔥✅👩‍💻', 15],
  ['Russian', 'Исправь ошибку в разборе дат и добавь тест.', 19],
  ['Hindi', 'कृपया दिनांक पार्स करने की त्रुटि ठीक करें', 40],
  ['constants', 'MODEL_STREAM_TRUNCATED MAX_SAFE_INTEGER', 8],
  ['white space', '\n\n\n\t\t\t\t    \n        x', 5],
  ['symbols', '!@#$%^&*()_+{}|:"<>?~`-=[]\\;\',./', 21],
  ['packed code', 'function a(b,c){return b.d(c)||e(f,g)}var h=i(j);k.l=m=>n(o)?p:q', 29],
  [
    'prose',
    'The date parser drops the time zone when the input ends with a Z, so two of the seven tests fail on machines east of Greenwich.',
    28,
  ],
  [
    'code',
    'export function costUsd(usage: ModelUsage, price: ModelPrice | null): number | null {\n  if (price === null) return null;\n  return usage.inputTokens * price.input;\n}\n',
    42,
  ],
  ['JSON', '{"id":"a1","items":[{"x":1.5,"y":-20},{"x":100000,"y":null}],"ok":true}', 34],
  [
    'a listing',
    '-rw-r--r-- 1 root root  9616 Nov 21 18:40 classify.ts\n-rw-r--r-- 1 root root 57695 Nov 21 18:43 prices.json\n',
    47,
  ],
  ['a path', '/workspace/packages/server/src/models/generated/prices.json:128:17', 14],
];

test.each(counted)('estimates %s no lower than a tokenizer counts', (_what, text, tokens) => {
  expect(textTokens(text)).toBeGreaterThanOrEqual(tokens);
});

test('no text is estimated at nothing, and joining texts never estimates much less than its parts', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', minLength: 1 }),
      fc.string({ unit: 'grapheme' }),
      (one, two) => {
        if (one.trim() !== '') expect(textTokens(one)).toBeGreaterThan(0);
        expect(textTokens(`${one}\n${two}`)).toBeGreaterThanOrEqual(textTokens(one) + textTokens(two));
      },
    ),
  );
});

test('a request counts all it holds', () => {
  const base = { system: 'You are careful.', messages: [userMessage('Fix it.')], tools: contractTools };
  const estimate = estimateTokens(base);
  expect(estimateTokens({ ...base, system: `${base.system} And quick.` })).toBeGreaterThan(estimate);
  expect(estimateTokens({ ...base, tools: [] })).toBeLessThan(estimate);
  const parts = [
    { type: 'reasoning' as const, text: 'hm', providerData: { anthropic: { signature: 'a'.repeat(900) } } },
    { type: 'tool-call' as const, id: 'a', name: 'read', input: null, malformed: 'x '.repeat(300) },
  ];
  expect(
    estimateTokens({ ...base, messages: [...base.messages, { role: 'assistant', parts }] }),
  ).toBeGreaterThan(estimate + 700);
});

test('a conversation that goes on starts from what was really counted', () => {
  const usage = {
    inputTokens: 50_000,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    outputTokens: 100,
    reasoningTokens: 0,
  };
  const messages = [userMessage('a'), { role: 'assistant' as const, parts: [] }, userMessage('b')];
  const estimate = estimateGrownTokens({ messages }, { usage, messageCount: 1 });
  expect(estimate).toBeGreaterThan(50_100);
  expect(estimate).toBeLessThan(50_200);
});
