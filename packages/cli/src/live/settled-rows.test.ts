import { expect, test } from 'vitest';
import { paintFor } from '../output/style.ts';
import { sampleEvent } from '../testing/event-samples.ts';
import { failingLines } from './event-text.ts';
import { SettledRows } from './settled-rows.ts';

const plain = paintFor({ isColour: false });

const started = (id: string, step: string, purpose = 'test') =>
  sampleEvent('command.started', { id, step, purpose }, { title: '$ npm test' });
const ended = (id: string, exitCode: number) =>
  sampleEvent('command.ended', {
    id,
    result: { exitCode, durationMs: 900, lost: null },
    tail: 'ok 1 - parses ISO\nnot ok 2 - parses DST change\n1 failed',
  });

function shown(...events: ReturnType<typeof sampleEvent>[]): string[] {
  const rows = new SettledRows(plain, false);
  return events.flatMap((event) => rows.push(event, 80)).map((line) => line.replaceAll(/\s+/g, ' ').trim());
}

test('a failing check shows what failed once: with its verdict, not with its command', () => {
  const verdict = sampleEvent(
    'check.judged',
    { verdict: 'failed', failure: 'ok 1 - parses ISO\nnot ok 2 - parses DST change\n', commandId: 'c' },
    { title: 'test failed' },
  );
  const lines = shown(started('c', '3:check'), ended('c', 1), verdict);
  expect(lines.filter((line) => line.includes('parses DST change'))).toEqual([
    '│ not ok 2 - parses DST change',
  ]);
  expect(lines.join('\n')).not.toContain('parses ISO');
  expect(lines[0]).toContain('$ npm test exit 1 0.9s');
});

test('a failing command that nobody judges shows its end', () => {
  expect(shown(started('c', '1:setup', 'setup'), ended('c', 1)).join('\n')).toContain('not ok 2');
});

test('a command that began before what is shown still has its command line, and housekeeping stays hidden', () => {
  const rows = new SettledRows(plain, false);
  rows.remember(started('c', '3:check'));
  rows.remember(started('h', '3:check', 'other'));
  expect(rows.push(ended('c', 0), 80)[0]).toContain('$ npm test');
  expect(rows.push(ended('h', 0), 80)).toEqual([]);
});

test('the command of a tool names its live output', () => {
  const rows = new SettledRows(plain, false);
  rows.push(
    sampleEvent('tool.started', { id: 't', name: 'bash', input: { command: 'npm test\u001b[2J' } }),
    80,
  );
  expect(rows.commandOf('t')).toBe('$ npm test');
});

test('a failure begins where it says that something failed; without such a line its end is shown', () => {
  const long = ['> lib@1.0.0 test', '> vitest', '', 'ok 1', 'AssertionError: 1 is not 2'];
  const stack = Array.from({ length: 9 }, (_, n) => `    at f${n} (x.js:${n})`);
  expect(failingLines([...long, ...stack].join('\n'))).toEqual([
    'AssertionError: 1 is not 2',
    ...stack.slice(0, 5),
    '… 4 more lines',
  ]);
  expect(failingLines('a\nb\nc\nd\ne\nf\ng\nh')).toEqual(['c', 'd', 'e', 'f', 'g', 'h']);
});
