import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { harmless, harmlessLine } from './harmless.ts';

test('colours, cursor movement, titles and links are taken out, the words stay', () => {
  expect(harmless('\u001b[31mred\u001b[0m')).toBe('red');
  expect(harmless('\u001b[2J\u001b[1;1Hhome')).toBe('home');
  expect(harmless('\u001b]0;owned\u0007after')).toBe('after');
  expect(harmless('\u001b]8;;http://evil\u001b\\link\u001b]8;;\u001b\\')).toBe('link');
  expect(harmless('\u009b31mC1')).toBe('C1');
  expect(harmless('\u001bcreset')).toBe('reset');
  expect(harmless('\u001bP1$r0m\u001b\\x')).toBe('x');
});

test('a sequence that never ends swallows its own line and no more', () => {
  expect(harmless('\u001b]0;no end\nnext line')).toBe('\nnext line');
});

test('bidirectional and invisible characters are shown for what they are', () => {
  expect(harmless('a\u202Eb')).toBe('a\\u{202e}b');
  expect(harmless('pass\u200bword')).toBe('pass\\u{200b}word');
  expect(harmless('over\rwritten')).toBe('over\\u{d}written');
  expect(harmless('lone \ud800')).toBe('lone \\u{d800}');
});

test('text of any language and emoji stay as they are', () => {
  for (const text of ['日本語', 'e\u0301', '👩\u200d👩\u200d👧', 'naïve – “x”', 'ไทย']) {
    expect(harmless(text)).toBe(text);
  }
});

test('whatever comes in, no control, format or bidirectional character comes out', () => {
  const unit = fc.oneof(
    fc.constantFrom(
      '\u001b',
      '\u009b',
      '\u009d',
      '[',
      ']',
      ';',
      'm',
      '\u0007',
      '\\',
      '\n',
      '\r',
      '\t',
      '\u202e',
      'P',
    ),
    fc.string({ unit: 'binary', maxLength: 3 }),
  );
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 60 }), (parts) => {
      const shown = harmless(parts.join(''));
      expect(shown.replaceAll(/[\n\u200d]/g, '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u);
      expect(harmlessLine(parts.join(''))).not.toContain('\n');
    }),
  );
});
