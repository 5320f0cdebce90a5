import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { paintFor } from '../output/style.ts';
import { textWidth } from '../output/text-width.ts';
import { sampleEvent, sampleRun } from '../testing/event-samples.ts';
import { panelLines, type PanelState } from './panel.ts';
import { SettledRows } from './settled-rows.ts';

const plain = paintFor({ isColour: false });
const nowMs = Date.parse('2026-11-21T12:06:41.000Z');
const quiet: PanelState = {
  live: null,
  lastEventAtMs: nowMs - 1_000,
  connection: 'ok',
  nowMs,
  hint: 'Ctrl-C',
};
const size = { columns: 80, rows: 24, isAscii: false };

test('the panel at 80 columns', () => {
  const state = {
    ...quiet,
    live: { title: '$ npm test', startedAtMs: nowMs - 9_000, lines: ['✓ parses ISO (3 ms)'] },
  };
  expect(`\n${panelLines(sampleRun(), state, size, plain).join('\n')}\n`).toMatchInlineSnapshot(`
    "
     $ npm test                                                      running   0:09
       │ ✓ parses ISO (3 ms)
    ───────────────────────────────────────────────────────────────────────────────
     web · fix flaky date test                  r-0000000000000001  ● running  2:41
     prefetch ✔3.0s  setup ✔21s  agent ●2:41  check ○  verify ○  propose ○
     cost $0.42/2.00 ██░░░░░░  tok 118k/1.5M  steps 31/120  time 3:11/30:00  r 0/2
     agent: model call open (primary) · last event 1 s ago                   Ctrl-C
    "
  `);
});

test('words stand in for marks where marks cannot be shown', () => {
  const lines = panelLines(sampleRun(), quiet, { ...size, isAscii: true }, plain).join('\n');
  expect(lines).toMatch(/^[ -~\n·]*$/);
  expect(lines).toContain('agent running');
});

test('a minute without an event is said, with what is waited for', () => {
  const lines = panelLines(sampleRun(), { ...quiet, lastEventAtMs: nowMs - 72_000 }, size, plain);
  expect(lines.at(-1)).toContain('no event for 1 min 12 s; agent: model call open (primary)');
});

test('a lost connection is said', () => {
  expect(panelLines(sampleRun(), { ...quiet, connection: 'lost' }, size, plain).at(-1)).toContain('Not live');
});

test('a limit that is nearly used up stands out', () => {
  const near = sampleRun({
    limits: [{ name: 'cost', used: 1.7, reserved: 0, cap: 2, owner: 'run', per: null, until: null }],
  });
  const marked = panelLines(near, quiet, size, (tone, text) => `<${tone}>${text}</>`).join('\n');
  expect(marked).toContain('<warn>cost $1.70/2.00');
});

test('in any terminal, with any text from outside, no line is wider and no height is passed', () => {
  const hostile = fc.string({ unit: 'binary', maxLength: 120 });
  fc.assert(
    fc.property(
      fc.integer({ min: 60, max: 200 }),
      fc.integer({ min: 8, max: 60 }),
      hostile,
      hostile,
      fc.array(hostile, { maxLength: 20 }),
      fc.boolean(),
      (columns, rows, title, reason, lines, isAscii) => {
        const run = sampleRun({ title, project: reason, status: { ...sampleRun().status, reason } });
        const live = {
          title: 'x',
          startedAtMs: nowMs,
          lines: lines.map((line) => line.replaceAll(/[^ -~\u3000-\uffff]/g, '')),
        };
        const shown = panelLines(run, { ...quiet, live }, { columns, rows, isAscii }, plain);
        for (const line of shown) {
          expect(textWidth(line)).toBeLessThan(columns);
          expect(line).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
        }
        expect(shown.length).toBeLessThan(Math.max(rows, 7));
      },
    ),
  );
});

test('neighbouring reads fold into one row; failures and changes do not', () => {
  const rows = new SettledRows(plain, false);
  const tool = (name: string, summary: string, exitCode: number | null = null) =>
    sampleEvent(
      'tool.ended',
      { id: 'x', name, isError: exitCode !== null, exitCode, durationMs: 100 },
      { title: summary },
    );
  const shown = [
    ...rows.push(tool('read', 'read a'), 80),
    ...rows.push(tool('read', 'read b'), 80),
    ...rows.push(tool('search', 'search c'), 80),
    ...rows.push(tool('read', 'read gone', 1), 80),
    ...rows.push(tool('edit', 'edit a +1 -1'), 80),
    ...rows.push(tool('list', 'list'), 80),
    ...rows.flush(80),
  ].map((line) => line.replaceAll(/\s+/g, ' ').trim());
  expect(shown.map((line) => line.replace(/^\S+ /, ''))).toEqual([
    'read 2 files, searched once',
    'read gone exit 1 0.1s',
    'edit a +1 -1 0.1s',
    'listed a directory',
  ]);
});

test('an event of a later version is shown by its title', () => {
  const rows = new SettledRows(plain, false);
  const [line] = rows.push(
    sampleEvent('judge.objected', 7, { title: 'the judge objects', importance: 'high' }),
    80,
  );
  expect(line).toContain('the judge objects');
});

test('rows are never wider than the terminal, and carry nothing it would obey', () => {
  const types = [
    'tool.ended',
    'command.ended',
    'check.judged',
    'egress.decided',
    'proposal.opened',
    'run.ended',
    'x.y',
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...types),
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.integer({ min: 60, max: 160 }),
      (type, text, columns) => {
        const data = {
          id: text,
          name: text,
          tail: text,
          failure: text,
          url: text,
          verdict: 'failed',
          result: { exitCode: 1, durationMs: 5 },
        };
        const lines = new SettledRows(plain, false).push(sampleEvent(type, data, { title: text }), columns);
        for (const line of lines) {
          expect(textWidth(line)).toBeLessThan(columns);
          expect(line).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
        }
      },
    ),
  );
});
