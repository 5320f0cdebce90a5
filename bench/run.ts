import { type ChildProcess, fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { benchmarks } from './benchmarks.ts';
import { type Benchmark, isMet, type Measured } from './lib/benchmark.ts';
import { thisCommit, thisMachine } from './lib/machine.ts';
import { readmePage } from './lib/readme.ts';
import { tableOf, writeResult } from './lib/result.ts';

const help = `npm run bench [-- [name …] [--quick] [--strict]]

Runs the benchmarks one after the other, prints their figures with the goals, and records them in
bench/results/<name>.json and bench/README.md.

  --quick    repeat less and record nothing: shows that they work
  --strict   end with 1 when a goal is missed (otherwise only when a benchmark failed)
  --help     this text

Names:
${benchmarks.map(({ name, what }) => `  ${name.padEnd(18)} ${what}`).join('\n')}
`;

/** What is left to a benchmark to clean up after it was told to stop. */
const graceMs = 10_000;

let running: ChildProcess | null = null;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: 'boolean' }, strict: { type: 'boolean' }, help: { type: 'boolean' } },
  });
  const say = (line: string): unknown => process.stdout.write(`${line}\n`);
  if (values.help === true) {
    process.stdout.write(help);
    return 0;
  }
  const unknown = positionals.filter((name) => !benchmarks.some((one) => one.name === name));
  if (unknown.length > 0) {
    process.stderr.write(`There is no benchmark ${unknown.join(', ')}; see --help.\n`);
    return 2;
  }
  const quick = values.quick ?? false;
  const root = join(import.meta.dirname, '..');
  const chosen = benchmarks.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const { cpu, cores, memoryGiB, kernel, node } = thisMachine();
  say(`${cores} × ${cpu}, ${memoryGiB} GiB, ${kernel}, Node ${node}`);
  let failed = 0;
  let missed = 0;
  for (const benchmark of chosen) {
    const machine = thisMachine();
    const startedMs = performance.now();
    say(`\n${benchmark.name}: ${benchmark.what}`);
    const measured = await inOwnProcess(benchmark, quick);
    const durationMs = Math.round(performance.now() - startedMs);
    if (measured === null) {
      failed += 1;
      say(`  FAILED after ${Math.round(durationMs / 1000)} s`);
      continue;
    }
    missed += measured.figures.filter((figure) => isMet(figure) === false).length;
    for (const line of tableOf(measured.figures)) say(line);
    for (const note of measured.notes) say(`  - ${note}`);
    say(`  (${Math.round(durationMs / 1000)} s, load average ${machine.loadAverage})`);
    if (quick) continue;
    const { name } = benchmark;
    const command = `npm run bench -- ${name}`;
    writeResult({
      name,
      command,
      date: new Date().toISOString(),
      commit: thisCommit(root),
      machine,
      durationMs,
      ...measured,
    });
  }
  if (!quick) writeFileSync(join(import.meta.dirname, 'README.md'), readmePage(benchmarks));
  say(`\n${chosen.length} benchmarks: ${failed} failed, ${missed} goals missed`);
  return failed > 0 || (values.strict === true && missed > 0) ? 1 : 0;
}

/** Null when it failed or took too long; why stands on standard error. */
function inOwnProcess({ name, timeLimitMs }: Benchmark, quick: boolean): Promise<Measured | null> {
  return new Promise((resolve) => {
    let measured: Measured | null = null;
    const child = fork(join(import.meta.dirname, 'lib', 'run-one.ts'), [name, quick ? 'quick' : 'full']);
    running = child;
    let kill: NodeJS.Timeout | undefined;
    const late = setTimeout(() => {
      process.stderr.write(`${name} took longer than ${timeLimitMs / 1000} s\n`);
      child.kill('SIGTERM');
      kill = setTimeout(() => child.kill('SIGKILL'), graceMs);
    }, timeLimitMs);
    child.on('message', (message) => {
      measured = message as Measured;
    });
    child.on('exit', (code) => {
      clearTimeout(late);
      clearTimeout(kill);
      running = null;
      resolve(code === 0 ? measured : null);
    });
  });
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    const exit = (): never => process.exit(signal === 'SIGTERM' ? 143 : 130);
    if (running === null) exit();
    running?.once('exit', exit);
    running?.kill('SIGTERM');
  });
}

process.exitCode = await main();
