import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { benchmarks } from './benchmarks.ts';
import { isMet } from './lib/benchmark.ts';
import { tableOf } from './lib/result.ts';
import { percentile } from './lib/statistics.ts';

const execute = promisify(execFile);
const run = (...args: readonly string[]) =>
  execute(process.execPath, [join(import.meta.dirname, 'run.ts'), ...args]);

test('--help tells the names of all benchmarks', async () => {
  const { stdout } = await run('--help');
  for (const { name, what } of benchmarks) expect(stdout).toContain(`${name.padEnd(18)} ${what}`);
});

test('a name that is no benchmark is refused', async () => {
  await expect(run('exec', 'nonsense')).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('nonsense') as string,
  });
});

test('the README has a line for every benchmark, with its command', () => {
  const page = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8');
  for (const { name, what, why, goal } of benchmarks) {
    expect(page).toContain(`- **${name}**: ${what} Why: ${why} Goal: ${goal} \`npm run bench -- ${name}\``);
  }
});

test('a missed goal is shown as missed', () => {
  const slow = { name: 'slow', value: 5, unit: 'ms', goal: { below: 5 } } as const;
  const fast = { name: 'fast', value: 4.9, unit: 'ms', goal: { below: 5 } } as const;
  expect([isMet(slow), isMet(fast), isMet({ name: 'free', value: 1, unit: 'ms' })]).toEqual([
    false,
    true,
    null,
  ]);
  expect(tableOf([slow, fast])).toEqual(['  slow    5 ms  < 5 ms  MISSED', '  fast  4.9 ms  < 5 ms  met']);
});

test('percentiles are values that were measured', () => {
  const values = [5, 1, 4, 2, 3];
  expect([0, 0.5, 0.8, 0.99, 1].map((share) => percentile(values, share))).toEqual([1, 3, 4, 5, 5]);
});
