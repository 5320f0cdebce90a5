import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { weakenings } from './weakened-checks.ts';

const why = (path: string, before: string | null, after: string | null): string[] =>
  weakenings(path, before, after).map((one) => (one.line === null ? one.why : `${one.line}: ${one.why}`));

const js = "test('a', () => {\n  expect(1).toBe(1);\n});\ntest('b', () => {\n  expect(2).toBe(2);\n});\n";

test.each<[string, string, string | null, string | null, string[]]>([
  ['a deleted test', 'src/a.test.ts', js, null, ['a file of tests is deleted']],
  ['fewer tests', 'src/a.test.ts', js, js.split("test('b'")[0]!, ['1 fewer test']],
  ['fewer assertions', 'src/a.test.ts', js, js.replace('  expect(2).toBe(2);\n', ''), ['1 fewer assertion']],
  [
    'a skip',
    'src/a.test.ts',
    js,
    js.replace("test('b'", "test.skip('b'"),
    ['4: tests are skipped, or others run alone'],
  ],
  [
    'an only',
    'src/a.spec.js',
    js,
    js.replace("test('a'", "test.only('a'"),
    ['1: tests are skipped, or others run alone'],
  ],
  [
    'pytest',
    'tests/test_a.py',
    'def test_a():\n    assert f() == 1\n',
    '@pytest.mark.skip\ndef test_a():\n    assert f() == 1\n',
    ['1: tests are skipped, or others run alone'],
  ],
  ['go', 'a_test.go', 'func TestA(t *testing.T) {\n}\n', 'package a\n', ['1 fewer test']],
  [
    'a silenced linter',
    'src/a.ts',
    'f();\n',
    '// eslint-disable-next-line\nf();\n',
    ['1: a linter, a type checker or coverage is told to look away'],
  ],
  [
    'a rule that is off',
    '.eslintrc.json',
    '{ "rules": { "no-eval": "error" } }',
    '{ "rules": { "no-eval": "off" } }',
    ['1: a rule of a linter is switched off'],
  ],
  [
    'a threshold',
    'vitest.config.ts',
    '      branches: 90,\n',
    '      branches: 40.5,\n',
    ['1: the threshold branches goes from 90 to 40.5'],
  ],
  ['a raised threshold', 'vitest.config.ts', '      branches: 90,\n', '      branches: 95,\n', []],
  [
    'more warnings',
    'package.json',
    '"lint": "eslint --max-warnings 0"',
    '"lint": "eslint --max-warnings 50"',
    ['1: the threshold max-warnings goes from 0 to 50'],
  ],
  [
    'a command that may fail',
    '.github/workflows/ci.yml',
    '      - run: npm test\n',
    '      - run: npm test || true\n',
    ['1: a command may fail without anybody noticing'],
  ],
  ['a moved line', 'src/a.test.ts', js, `// about\n${js}`, []],
  ['an ordinary change', 'src/a.ts', 'f();\n', 'g();\n', []],
  ['a skip that was there', 'src/a.test.ts', `test.skip('x');\n${js}`, `test.skip('x');\n${js}\n`, []],
  ['a new test', 'src/b.test.ts', null, js, []],
])('%s', (_name, path, before, after, expected) => {
  expect(why(path, before, after)).toEqual(expected);
});

test('an unchanged file is never said to be weaker, and hostile text ends in time', () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 2_000 }),
      fc.constantFrom('a.test.ts', 'package.json'),
      (text, path) => {
        expect(weakenings(path, text, text)).toEqual([]);
      },
    ),
  );
  const long = `${'test.'.repeat(50_000)}\n${' '.repeat(50_000)}\n${'a:'.repeat(900)}\n`.repeat(3);
  const began = performance.now();
  weakenings('a.test.ts', '', long);
  expect(performance.now() - began).toBeLessThan(10_000);
});
