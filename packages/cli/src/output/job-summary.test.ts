import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Proposal } from '@berth/client';
import { sampleRun } from '../testing/event-samples.ts';
import { jobSummary } from './job-summary.ts';

const proposal = {
  schema: 'berth.proposal/v1',
  verified: true,
  tree: '9f1c2ab45d3e8a77c0de',
  diffstat: { files: 2, added: 7, removed: 1 },
  checks: [
    {
      name: 'test',
      command: 'npm test',
      exitCode: 0,
      durationMs: 720,
      tree: '9f1c2ab45d3e8a77c0de',
      verdict: 'passed',
      where: 'verify',
    },
  ],
} as unknown as Proposal;

test('the summary holds the status and the evidence as tables', () => {
  const text = jobSummary(sampleRun(), proposal);
  expect(text).toContain('### Berth: `fix flaky date test`');
  expect(text).toContain('| status | **running** `agent: model call open (primary)` |');
  expect(text).toContain('**Verified** in a fresh sandbox on exactly this tree. 2 files +7 -1');
  expect(text).toContain('| `test` | `npm test` | verify | 0 | 0.7s | `9f1c2ab45d3e` | `passed` |');
  expect(jobSummary(sampleRun(), null)).not.toContain('Evidence');
});

test('no text from outside leaves its cell or its code marks', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('`', '|', '\n', '<', '[', 'a', '\\', '#') }), (hostile) => {
      const calm = jobSummary(sampleRun({ title: 'x' }), proposal);
      const text = jobSummary(sampleRun({ title: hostile }), {
        ...proposal,
        checks: proposal.checks.map((check) => ({ ...check, name: hostile, command: hostile })),
      });
      expect(text.split('\n')).toHaveLength(calm.split('\n').length);
      const row = text.split('\n').find((line) => line.includes('| verify |'))!;
      expect(row.split(/(?<!\\)\|/)).toHaveLength(9);
    }),
  );
});
