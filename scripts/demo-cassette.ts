import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cassetteText, script } from '../packages/server/src/models/index.ts';

/** Where the demo's cassette lies in the checkout. */
export const demoCassettePath = join(import.meta.dirname, '..', 'examples', 'demo', 'cassette.jsonl');

/**
 * The answers that stand in for a model in the demo. The bug spans two files: the first attempt mends one, which
 * makes a test of the other fail; the repair round mends that too.
 */
export function demoCassette(): string {
  const answers = script(
    [
      {
        expect: { lastUserIncludes: 'parseAmount', tools: ['bash', 'read', 'edit', 'finish'] },
        say: 'I look at how the test fails, and at the code that reads amounts.',
        toolCalls: [{ name: 'bash', input: { command: 'npm test 2>&1 | tail -n 40' } }],
      },
      {
        expect: { lastResultsInclude: 'reads corrections of less than one unit' },
        toolCalls: [
          { name: 'read', input: { path: 'src/money.ts' } },
          { name: 'search', input: { pattern: 'parseAmount', path: 'src' } },
        ],
      },
      {
        expect: { lastResultsInclude: 'whole < 0' },
        say: 'Number("-0") is -0, which is not less than 0, so the sign is lost before the fraction is added. I take the sign from the text.',
        toolCalls: [
          {
            name: 'edit',
            input: {
              path: 'src/money.ts',
              old: '  return whole < 0 ? whole * 100 - fraction : whole * 100 + fraction;',
              new: [
                '  const cents = Math.abs(whole) * 100 + fraction;',
                "  // Number('-0') is not less than 0: the sign is only in the text.",
                "  return match[1]?.startsWith('-') === true && cents > 0 ? -cents : cents;",
              ].join('\n'),
            },
          },
        ],
      },
      {
        toolCalls: [
          {
            name: 'bash',
            input: {
              command:
                'npx tsc -p tsconfig.json && node --test --test-reporter=spec dist/test/money.test.js 2>&1 | tail -n 12',
            },
          },
        ],
      },
      {
        say: 'The test of the task passes.',
        toolCalls: [
          {
            name: 'finish',
            input: {
              result: 'done',
              summary: 'parseAmount takes the sign from the text, so amounts between -1 and 0 keep it.',
            },
          },
        ],
      },
      {
        expect: { lastUserIncludes: 'the parts add up' },
        say: 'Small negative amounts now reach allocate, which hands out what is left only when it is positive. I look at it.',
        toolCalls: [{ name: 'read', input: { path: 'src/allocate.ts' } }],
      },
      {
        expect: { lastResultsInclude: 'index < left' },
        toolCalls: [
          {
            name: 'edit',
            input: {
              path: 'src/allocate.ts',
              old: '  for (let index = 0; index < left; index += 1) {\n    parts[index % parts.length]! += 1;\n  }',
              new: [
                '  // For a refund what is left is negative, and is handed out in negative cents.',
                '  const cent = Math.sign(left);',
                '  for (let index = 0; index < Math.abs(left); index += 1) {',
                '    parts[index % parts.length]! += cent;',
                '  }',
              ].join('\n'),
            },
          },
        ],
      },
      { toolCalls: [{ name: 'bash', input: { command: 'npm test 2>&1 | tail -n 14' } }] },
      {
        expect: { lastResultsInclude: 'fail 0' },
        say: 'All tests pass.',
        toolCalls: [
          {
            name: 'finish',
            input: {
              result: 'done',
              summary:
                'parseAmount keeps the sign of amounts between -1 and 0, and allocate hands out what is left of a negative amount too. The public functions are unchanged.',
            },
          },
        ],
      },
    ],
    { model: 'cassette/demo', paceMs: 12 },
  );
  return cassetteText(answers);
}

if (import.meta.main) writeFileSync(demoCassettePath, demoCassette());
