import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkConfigText } from '../packages/server/src/start/check-config.ts';
import { problemLines } from '../packages/server/src/config/parse/index.ts';
import { configSchema } from '../packages/server/src/domain/config/index.ts';

const root = join(import.meta.dirname, '..');

function problems(text: string): string[] {
  const parsed = checkConfigText(text, {});
  return parsed.ok ? [] : problemLines('berth.yaml', parsed.problems);
}

test('the example is valid and shows every section', () => {
  const text = readFileSync(join(root, 'examples/configuration/berth.yaml'), 'utf8');
  expect(problems(text)).toEqual([]);
  for (const section of Object.keys(configSchema.shape))
    expect(text).toMatch(new RegExp(`^${section}:`, 'm'));
});

test('the example of the document is valid, and so is what it says of an unknown key', () => {
  const page = readFileSync(join(root, 'docs/configuration.md'), 'utf8');
  const text = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  expect(problems(text)).toEqual([]);
  const wrong = text.replace('run: { costUsd: 5', 'run: { costUSD: 5');
  expect(problems(wrong)[0]).toContain(
    'unknown key "costUSD" (did you mean costUsd?); allowed here: costUsd, tokens',
  );
});
