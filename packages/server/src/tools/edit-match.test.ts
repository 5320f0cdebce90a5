import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { replaceText } from './edit-match.ts';
import type { Change } from './apply-change.ts';

const replace = (text: string, old: string, fresh: string, all = false): Change =>
  replaceText(text, { old, new: fresh, all });

function textOf(change: Change): string {
  if (!change.ok) throw new Error(change.problem);
  return change.text;
}

test('an exact text that occurs once is replaced', () => {
  expect(textOf(replace('a\nb\nc\n', 'b', 'x'))).toBe('a\nx\nc\n');
});

test('a text that occurs twice is refused with its lines, and replaced everywhere with all', () => {
  expect(replace('a\nb\na\n', 'a', 'x')).toMatchObject({
    ok: false,
    problem: expect.stringContaining('lines 1, 3'),
  });
  expect(textOf(replace('a\nb\na\n', 'a', 'x', true))).toBe('x\nb\nx\n');
});

test('white space at line ends is forgiven', () => {
  expect(textOf(replace('if (a) {  \n  b();\t\n}\n', 'if (a) {\n  b();\n}', 'c();'))).toBe('c();\n');
});

test('a shifted indentation is forgiven and new lines are shifted alike', () => {
  const file = 'class A {\n    run() {\n        go();\n    }\n}\n';
  const change = replace(file, 'run() {\n    go();\n}', 'run() {\n    stop();\n\n    go();\n}');
  expect(textOf(change)).toBe('class A {\n    run() {\n        stop();\n\n        go();\n    }\n}\n');
});

test('tabs in the file and spaces in old are forgiven at the same depth', () => {
  expect(textOf(replace('f {\n\tgo()\n}\n', '    go()', '    stop()'))).toBe('f {\n\tstop()\n}\n');
});

test('spaces stand for tabs at several depths', () => {
  const file = 'func f() {\n\tif a {\n\t\tgo()\n\t}\n}\n';
  const change = replace(file, '    if a {\n        go()\n    }', '    if a {\n        stop()\n    }');
  expect(textOf(change)).toBe('func f() {\n\tif a {\n\t\tstop()\n\t}\n}\n');
});

test('lines whose depths differ among each other are not taken for a shift', () => {
  const file = 'if a:\n    b()\nc()\n';
  expect(replace(file, 'if a:\n    b()\n    c()', 'x').ok).toBe(false);
});

test('two places that fit only with white space forgiven are refused', () => {
  expect(replace('  a()\n\n    a()\n', 'a() ', 'b()')).toMatchObject({
    ok: false,
    problem: expect.stringContaining('2 places'),
  });
});

test('CRLF stays CRLF, also in new lines, and a missing final line break stays missing', () => {
  expect(textOf(replace('a\r\nb\r\nc', 'b\nc', 'x\ny'))).toBe('a\r\nx\r\ny');
  expect(textOf(replace('a\r\nb\r\n', 'a', 'x\ny'))).toBe('x\r\ny\r\nb\r\n');
  expect(textOf(replace('a\nlast', 'last\n', 'end\n'))).toBe('a\nend');
});

test('in a file of mixed line endings only the replaced part changes', () => {
  expect(textOf(replace('a\r\nb\nc\r\nd\n', 'c', 'x\ny'))).toBe('a\r\nb\nx\r\ny\r\nd\n');
});

test('deleting lines with white space forgiven leaves no empty line', () => {
  expect(textOf(replace('a\n  b  \nc\n', 'b\n', ''))).toBe('a\nc\n');
});

test('a failed edit shows the nearest lines with their numbers', () => {
  const file = 'one\ntwo\nfunction total(items) {\n  return items.length;\n}\n';
  const change = replace(file, 'function total(list) {\n  return list.size;\n}', 'x');
  expect(change).toMatchObject({
    ok: false,
    problem: expect.stringMatching(/Nearest lines:[^]*3\tfunction total\(items\)/),
  });
});

test('an edit without effect, and one of white space alone that does not occur, are refused', () => {
  expect(replace('a', 'a', 'a').ok).toBe(false);
  expect(replace('a\nb', '   ', 'x').ok).toBe(false);
});

const line = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\t', '{', '}', 'ü', '😀'), maxLength: 8 });
const ending = fc.constantFrom('\n', '\r\n');
const file = fc
  .array(fc.tuple(line, ending), { maxLength: 14 })
  .chain((lines) => line.map((last) => lines.map(([text, end]) => text + end).join('') + last));

test('property: whatever is asked, text outside the replaced place stays byte for byte', () => {
  fc.assert(
    fc.property(file, fc.array(line, { minLength: 1, maxLength: 4 }), line, (text, old, fresh) => {
      const change = replace(text, old.join('\n'), fresh);
      if (!change.ok) return;
      // There is a prefix and a suffix of the file around what was put in.
      let start = 0;
      while (start < text.length && start < change.text.length && text[start] === change.text[start]) start++;
      let end = 0;
      while (
        end < text.length - start &&
        end < change.text.length - start &&
        text[text.length - 1 - end] === change.text[change.text.length - 1 - end]
      ) {
        end++;
      }
      const removed = text.slice(start, text.length - end);
      const squeeze = (value: string): string => value.replaceAll(/\s+/g, '');
      // What went away is part of what was asked for, white space aside; where the file repeats itself, the
      // comparison above may see it rotated.
      expect(squeeze(old.join('') + old.join(''))).toContain(squeeze(removed));
    }),
    { numRuns: 2000 },
  );
});

test('property: a part of the file that occurs once is replaced exactly there', () => {
  fc.assert(
    fc.property(file, fc.nat(), fc.integer({ min: 1, max: 30 }), line, (text, at, length, fresh) => {
      const plain = text.replaceAll('\r\n', '\n');
      const start = plain.length === 0 ? 0 : at % plain.length;
      const old = plain.slice(start, start + length);
      if (old === '' || old === fresh || plain.indexOf(old) !== plain.lastIndexOf(old)) return;
      const change = replace(text, old, fresh);
      expect(textOf(change).replaceAll('\r\n', '\n')).toBe(
        plain.slice(0, start) + fresh + plain.slice(start + old.length),
      );
    }),
    { numRuns: 2000 },
  );
});

test('property: a place is found again after its indentation was shifted, and nothing else is touched', () => {
  const word = fc.stringMatching(/^[a-z]{3,6}$/);
  fc.assert(
    fc.property(
      fc.uniqueArray(word, { minLength: 3, maxLength: 8 }),
      fc.constantFrom('  ', '    ', '\t', '\t\t'),
      (words, indent) => {
        const lines = words.map((text, place) => indent + (place % 2 === 0 ? '' : '  ') + text);
        const file = `${lines.join('\n')}\n`;
        const old = words
          .slice(1, 3)
          .map((text, n) => (n === 0 ? '  ' : '') + text)
          .join('\n');
        const fresh = old.replace(words[1]!, 'CHANGED');
        expect(textOf(replace(file, old, fresh))).toBe(
          file.replace(new RegExp(`\\b${words[1]!}\\b`), 'CHANGED'),
        );
      },
    ),
  );
});
