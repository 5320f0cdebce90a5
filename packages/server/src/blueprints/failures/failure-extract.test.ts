import * as fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cleanLines, clip } from './clean-output.ts';
import { extractFailure, failedBefore, maxFailureBytes } from './failure-extract.ts';
import { cpuMs } from '../../testing/cpu-time.ts';

/** Real outputs of the tools, colours and all. */
const sample = (name: string): string => readFileSync(join(import.meta.dirname, 'samples', name), 'utf8');

test.each([
  ['vitest.txt', ['vitest: b.test.js', 'vitest: a.test.js > dates > parses DST change']],
  ['node-spec.txt', ['node: subtracts']],
  ['node-tap.txt', ['node: subtracts', 'node: group']],
  ['pytest-failures.txt', ['pytest: test_a.py::test_bad', 'pytest: test_a.py::test_param[2]']],
  ['pytest-collect.txt', ['pytest: test_b.py']],
  ['unittest.txt', ['unittest: test_bad (test_a.T.test_bad)']],
  [
    'go.txt',
    [
      'go: q/q.go: cannot use "x" (untyped string constant) as int value in return statement',
      'go: TestAdd',
      'go: TestAdd/two',
      'go: package example.test/x/p',
      'go: package example.test/x/q [build failed]',
      'go: TestPanic',
      'go: panic: assignment to entry in nil map',
      'go: package example.test/x/r',
    ],
  ],
  ['govet.txt', ['go: q/q.go: cannot use "x" (untyped string constant) as int value in return statement']],
  [
    'tsc.txt',
    [
      "tsc: a.ts error TS2322: Type 'number' is not assignable to type 'string'.",
      "tsc: a.ts error TS2322: Type 'string' is not assignable to type 'number'.",
    ],
  ],
  [
    'tsc-pretty.txt',
    [
      "tsc: a.ts error TS2322: Type 'number' is not assignable to type 'string'.",
      "tsc: a.ts error TS2322: Type 'string' is not assignable to type 'number'.",
    ],
  ],
])('%s: names exactly what failed', (name, items) => {
  expect(extractFailure(sample(name)).items).toEqual(items);
});

test('keeps the failing part and drops what passed', () => {
  const { text } = extractFailure(sample('vitest.txt'));
  expect(text).toContain("expected '2026-03-29T02:00Z' to be '2026-03-29T01:00Z'");
  expect(text).toContain("Cannot find module './missing.js'");
  expect(text).not.toContain('parses ISO (');
  expect(text).not.toContain('noise\n');
  expect(extractFailure(sample('pytest-failures.txt')).text).toContain("assert {'a': 1} == {'a': 2}");
  expect(extractFailure(sample('go.txt')).text).toContain('p_test.go:5: got 0');
});

test('reads eslint’s and prettier’s lists without their positions', () => {
  const eslint =
    "\n/tmp/x/src/a.js\n  1:7  error  'a' is assigned a value but never used  no-unused-vars\n\n✖ 1 problem\n";
  expect(extractFailure(eslint).items).toEqual([
    "eslint: <tmp>: 'a' is assigned a value but never used no-unused-vars",
  ]);
  const prettier =
    'Checking formatting...\n[warn] src/a.ts\n[warn] Code style issues found in the above file. Run Prettier with --write to fix.\n';
  expect(extractFailure(prettier).items).toEqual(['prettier: src/a.ts']);
});

test('falls back to the end of what it does not know', () => {
  const failure = extractFailure(`${'line\n'.repeat(500)}something broke\n`);
  expect(failure.tools).toEqual([]);
  expect(failure.text.endsWith('something broke')).toBe(true);
  expect(failure.text.split('\n')).toHaveLength(60);
});

test('the same failure at another time, place and port is the same', () => {
  const first = extractFailure(
    '2026-01-01T10:00:00Z boom at 0xdeadbeef in /tmp/a/b after 12ms on 127.0.0.1:4000',
  ).items;
  const second = extractFailure(
    '2026-02-03T11:12:13Z boom at 0xcafebabe in /tmp/c/d after 400ms on 127.0.0.1:5123',
  ).items;
  expect(second).toEqual(first);
});

test('counts are not noise: four failures are not three', () => {
  expect(failedBefore(extractFailure('4 failed').items, extractFailure('3 failed').items)).toBe(false);
});

test('one more of the same is new; fewer is not', () => {
  const one = extractFailure('src/a.ts(1,1): error TS1: bad').items;
  const two = extractFailure('src/a.ts(1,1): error TS1: bad\nsrc/a.ts(9,1): error TS1: bad').items;
  expect(failedBefore(two, one)).toBe(false);
  expect(failedBefore(one, two)).toBe(true);
});

test('failing without a word proves nothing', () => {
  expect(failedBefore(extractFailure('').items, extractFailure('').items)).toBe(false);
});

test('any output: bounded, without control characters, in reasonable time', () => {
  const line = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc.constantFrom(
      'FAIL a',
      '--- FAIL: T',
      '✖ failing tests:',
      '=== FAILURES ===',
      '● a › b',
      'not ok 1 - x',
      '\u001B[31m',
    ),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 200 }), (lines) => {
      const { text } = extractFailure(lines.join('\n'));
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxFailureBytes);
      expect(/[^\P{Cc}\n\t]/u.test(text)).toBe(false);
    }),
  );
  const long = `${'FAIL x > y\n● a\n--- FAIL: T\n'.repeat(30_000)}${'='.repeat(1_000_000)}`;
  expect(cpuMs(() => extractFailure(long))).toBeLessThan(10_000);
});

test('progress lines keep only what stayed, and cuts never break a character', () => {
  expect(cleanLines('10 %\r50 %\rdone\n')).toEqual(['done', '']);
  const clipped = clip('ä'.repeat(10_000), 1_000);
  expect(Buffer.byteLength(clipped)).toBeLessThanOrEqual(1_000);
  expect(clipped).not.toContain('\uFFFD');
});

test.each([
  ['a pytest summary', '== FAILURES ==', `= ${'failed  in '.repeat(20)}${'='.repeat(1_700)}x`],
  ['a vitest failure', '⎯⎯ Failed Tests 1 ', `FAIL x${' ['.repeat(990)}`],
  ['a node failure', '✖ failing tests:', `✖ ${'x ('.repeat(600)}`],
  ['a tap failure', 'TAP version 13', `not ok 1 - ${'# TODX'.repeat(300)}`],
  ['positions', 'x', 'a.b:1'.repeat(390)],
])('an output that is made to look almost like %s costs no more than any other', (_what, first, line) => {
  const took = cpuMs(() => extractFailure(`${first}\n${`${line}\n`.repeat(1_000)}`));
  // A third of a second or less; one bad pattern takes minutes.
  expect(took).toBeLessThan(2_000);
});
