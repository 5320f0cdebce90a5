import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { cut, fit, textWidth } from './text-width.ts';

test('what a terminal draws in two columns counts two, what it joins counts nothing', () => {
  for (const [text, width] of [
    ['abc', 3],
    ['日本', 4],
    ['한글', 4],
    ['ｆｕｌｌ', 8],
    ['e\u0301', 1],
    ['ก็', 1],
    ['🚀', 2],
    ['👩\u200d👩\u200d👧', 2],
    ['🇩🇪', 2],
    ['❤️', 2],
    ['│─█░✔✖●○◌‖◆⊘…', 13],
    ['', 0],
  ] as const) {
    expect(textWidth(text)).toBe(width);
  }
});

test('cutting and filling are exact for any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.nat(30), (text, columns) => {
      expect(textWidth(cut(text, columns))).toBeLessThanOrEqual(columns);
      expect(textWidth(fit(text, columns))).toBe(columns);
      if (textWidth(text) <= columns && columns > 0) expect(cut(text, columns)).toBe(text);
    }),
  );
});
