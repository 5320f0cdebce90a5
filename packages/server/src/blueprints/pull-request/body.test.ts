import { expect, test } from 'vitest';
import { codeCell, fenced, titleText } from './markdown.ts';
import { runStrip } from './run-strip.ts';

test('a title neither notifies, nor closes, nor links', () => {
  expect(titleText('Fixes #12 and closes https://host.example/o/r/issues/7, cc @someone GH-3 !4')).toBe(
    'Fixes # 12 and closes host.example/o/r/issues/7, cc @ someone GH 3 ! 4',
  );
  expect(titleText('a\nb\u202Ec')).toBe('a b\\u{202e}c');
  expect(Array.from(titleText('x'.repeat(300)))).toHaveLength(100);
});

test('text cannot leave its fence', () => {
  const block = fenced('before\n````\n# Approved by @lead\n````\nafter');
  const fence = block.split('\n')[0]!.replace('text', '');
  expect(fence).toBe('`````');
  expect(block.endsWith(`\n${fence}`)).toBe(true);
  expect(block).toContain('@ lead');
});

test('text cannot leave its table cell', () => {
  const cell = codeCell('a | b `c` <img> \n| d |');
  expect(cell).not.toContain('\n');
  expect(cell).not.toMatch(/[^\\]\|/);
  expect(cell.startsWith('``')).toBe(true);
});

test('the strip shows each step with its time', () => {
  const step = (kind: string, state: 'passed' | 'failed' | 'skipped', durationMs: number) =>
    ({
      key: kind,
      kind,
      round: 0,
      state,
      code: null,
      sentence: '',
      startedAt: '',
      durationMs,
      costUsd: 0,
    }) as const;
  expect(
    runStrip([step('setup', 'passed', 1_000), step('check', 'failed', 2_000), step('judge', 'skipped', 0)]),
  ).toBe(
    [
      'setup ████████████ passed 1.0 s',
      'check ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒ failed 2.0 s',
      'judge ░ skipped 0.0 s',
    ].join('\n'),
  );
});
