import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { cleanOutput } from './clean-text.ts';
import { unifiedDiff } from './diff.ts';
import { OutputExtract, shownBytes } from './output-extract.ts';
import { cpuMs } from '../testing/cpu-time.ts';

test('property: cleaned output holds no control, bidirectional or invisible character', () => {
  const unit = fc.oneof(
    fc.constantFrom(
      '\u001B[',
      '\u001B]0;',
      '\u0007',
      '\u001B\\',
      '\r',
      '\b',
      '\u202E',
      '\u{E0041}',
      'm',
      '1',
      '\n',
      '\t',
    ),
    fc.string({ unit: 'binary', maxLength: 3 }),
  );
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 40 }), (parts) => {
      const clean = cleanOutput(parts.join(''));
      expect(clean.replaceAll(/[\n\t]/g, '')).not.toMatch(
        /[\p{Cc}\u202A-\u202E\u2066-\u2069\u200B\u{E0000}-\u{E007F}]/u,
      );
      expect(clean.isWellFormed()).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test('a megabyte of unfinished terminal sequences is cleaned in no time', () => {
  const took = cpuMs(() => {
    cleanOutput('\u001B]'.repeat(500_000));
    cleanOutput(`\u001B[${'0;'.repeat(500_000)}`);
    cleanOutput('\b'.repeat(1_000_000));
  });
  expect(took).toBeLessThan(2000);
});

test('property: an extract shows all of a short output, and head and tail of a long one, however it is cut', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(3 * shownBytes), fc.integer({ min: 1, max: 5000 }), async (length, step) => {
      const whole = Array.from({ length }, (_, n) => String.fromCodePoint(97 + (n % 26))).join('');
      const stored: Uint8Array[] = [];
      const extract = new OutputExtract(async (chunks) => {
        for await (const chunk of chunks) stored.push(chunk);
        return 'key';
      });
      const bytes = new TextEncoder().encode(whole);
      for (let at = 0; at < bytes.length; at += step) await extract.add(bytes.slice(at, at + step));
      const { text, full } = await extract.end('read on');
      if (length <= shownBytes) {
        expect({ text, full }).toEqual({ text: whole, full: null });
        return;
      }
      expect(full).toBe('key');
      expect(Buffer.concat(stored).toString()).toBe(whole);
      const [head, tail] = text.split(/\n\[… \d+ bytes left out; read on …\]\n/);
      expect(whole.startsWith(head!)).toBe(true);
      expect(whole.endsWith(tail!)).toBe(true);
      expect(head!.length + tail!.length).toBe(shownBytes);
    }),
    { numRuns: 60 },
  );
});

test('property: a diff counts and shows every changed line', () => {
  const lines = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 12 });
  fc.assert(
    fc.property(lines, lines, (before, after) => {
      const text = (list: readonly string[]): string => list.map((line) => `${line}\n`).join('');
      const diff = unifiedDiff('f', text(before), text(after));
      expect(diff.added - diff.removed).toBe(after.length - before.length);
      const shown = diff.text.split('\n').slice(2);
      expect(shown.filter((line) => line.startsWith('+'))).toHaveLength(diff.added);
      expect(shown.filter((line) => line.startsWith('-'))).toHaveLength(diff.removed);
    }),
  );
});
