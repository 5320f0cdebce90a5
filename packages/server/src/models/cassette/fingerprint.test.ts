import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Message } from '../../domain/ports/model.ts';
import { userMessage } from '../../testing/model-contract.ts';
import { canonicalJson, fingerprintOf, normalise } from './fingerprint.ts';

test.each([
  ['/tmp/berth-x1/src/a.ts:3', '/tmp/other/src/a.ts:3'],
  ['/home/anna/.npm/_cacache', '/home/berth/.npm/_cacache'],
  [
    'commit 9f3c2a1 on 4b825dc642cb6eb9a060e54bf8d69288fbee4904',
    'commit 1a2b3c4 on e69de29bb2d1d6434b8b29ae775ad8c2e48c5391',
  ],
  ['started 2026-11-21T12:05:07Z', 'started 2025-01-02T03:04:05.678+01:00'],
  ['12:05:07 ok', '23:59:59.123 ok'],
  ['Duration 1.31s (tests 53ms)', 'Duration 12s (tests 7ms)'],
  ['# duration_ms 8.123', '# duration_ms 91.7'],
  ['spent $0.0123 of $2.00', 'spent $0.9 of $2.00'],
  ['run r_7k2m', 'run r_9x8y7z'],
  ['id 0b0e7a3e-6a0c-4a55-9f2b-6a8f2b1c9d10', 'id 11111111-2222-3333-4444-555555555555'],
  ['listening on 127.0.0.1:40777, pid 12', 'listening on 127.0.0.1:5, pid 99999'.replace(':5,', ':50123,')],
  [`${String.fromCodePoint(27)}[32mok${String.fromCodePoint(27)}[39m   done  \n`, 'ok done\n'],
])('%j and %j are the same', (one, other) => {
  expect(normalise(one)).toBe(normalise(other));
});

test.each([
  ['3 tests failed', '4 tests failed'],
  ['exit code 1', 'exit code 0'],
  ['/workspace/src/a.ts', '/workspace/src/b.ts'],
  ['/tmp/x/src/a.ts', '/tmp/x/src/b.ts'],
  ['expected 5 to be 6', 'expected 5 to be 7'],
  ['read 1024 bytes', 'read 1025 bytes'],
])('%j and %j are not the same', (one, other) => {
  expect(normalise(one)).not.toBe(normalise(other));
});

test('what is normalised stays as it is when normalised again', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.string(),
          fc.constantFrom('12ms', ' ', '\n', '/tmp/a/b', 'deadbee1', '2026-01-01', '$1', ':'),
        ),
      ),
      (pieces) => {
        const once = normalise(pieces.join(' '));
        expect(normalise(once)).toBe(once);
      },
    ),
  );
});

const conversation = (id: string, input: unknown, text: string): readonly Message[] => [
  userMessage('Fix it.'),
  {
    role: 'assistant',
    parts: [
      { type: 'reasoning', text: `thought ${id}` },
      { type: 'tool-call', id, name: 'read', input },
    ],
  },
  { role: 'tool', parts: [{ type: 'tool-result', id, name: 'read', text, isError: false }] },
];

test('ids of calls, reasoning and the order of keys do not matter; contents and tool names do', () => {
  const tools = [{ name: 'read', description: 'x', inputSchema: {} }];
  const one = fingerprintOf({ messages: conversation('a', { path: 'x', lines: 1 }, 'ok'), tools });
  expect(fingerprintOf({ messages: conversation('b', { lines: 1, path: 'x' }, 'ok'), tools })).toEqual(one);
  expect(fingerprintOf({ messages: conversation('a', { path: 'y', lines: 1 }, 'ok'), tools })).not.toEqual(
    one,
  );
  expect(fingerprintOf({ messages: conversation('a', { path: 'x', lines: 1 }, 'no'), tools })).not.toEqual(
    one,
  );
  expect(
    fingerprintOf({ messages: conversation('a', { path: 'x', lines: 1 }, 'ok'), tools: [] }),
  ).not.toEqual(one);
});

test('canonical JSON does not depend on the order of keys', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      expect(canonicalJson(Object.fromEntries(Object.entries(value).toReversed()))).toBe(
        canonicalJson(value),
      );
    }),
  );
});
