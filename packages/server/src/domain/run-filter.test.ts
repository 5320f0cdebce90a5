import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { BerthError } from './errors/index.ts';
import { everyRun, parseRunFilter } from './run-filter.ts';

const nowMs = Date.parse('2026-11-21T12:00:00Z');
const parse = (text: string) => parseRunFilter(text, { nowMs, me: 'anna@example.test' });

test('every part of a filter is read', () => {
  expect(
    parse(
      'status:failed,cancelled code:limit_cost project:web origin:slack by:me owner:bob task:t-1 pr:yes cost:>2 cost:<=10.50 age:<7d until:2026-11-20 flaky "date test"',
    ),
  ).toEqual({
    states: ['failed', 'cancelled'],
    codes: ['LIMIT_COST'],
    projects: ['web'],
    origins: ['slack'],
    by: ['anna@example.test'],
    owners: ['bob'],
    tasks: ['t-1'],
    words: ['flaky', 'date test'],
    sinceMs: nowMs - 7 * 86_400_000,
    untilMs: Date.parse('2026-11-20'),
    cost: [
      { than: '>', usd: 2 },
      { than: '<=', usd: 10.5 },
    ],
    hasPullRequest: true,
  });
  expect(parse('')).toEqual(everyRun);
  expect(parse('project:"my web" "say \\"hi\\""')).toMatchObject({
    projects: ['my web'],
    words: ['say "hi"'],
  });
});

test.each([
  ['colour:red', 1, 'status'],
  ['a  status:done', 4, 'needs_human'],
  ['cost:2', 1, 'cost:>2'],
  ['age:7d', 1, '< or >'],
  ['since:yesterday', 1, '2026-11-21'],
  ['"open', 1, 'quote'],
  ['by:', 1, 'value'],
  ['pr:maybe', 1, 'yes or no'],
  ['a\u0000b', 2, 'character'],
  ['constructor:x', 1, 'known are'],
])('%j is refused at column %d with what would be right', (text, column, hint) => {
  try {
    parse(text);
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({ code: 'FILTER_INVALID', details: { column } });
    expect((error as BerthError).message).toContain(hint);
  }
});

test('any text is either read or refused with a code, and never fails otherwise', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 60, unit: 'binary' }), (text) => {
      try {
        parse(text);
      } catch (error) {
        expect(error).toBeInstanceOf(BerthError);
      }
    }),
  );
});

test('a quoted word is found again as it was written', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 30, unit: 'grapheme' }), (word) => {
      fc.pre(!/\p{Cc}/u.test(word));
      const quoted = `"${word.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
      expect(parse(quoted).words).toEqual([word]);
    }),
  );
});
