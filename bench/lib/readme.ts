import type { Benchmark } from './benchmark.ts';
import { isMet } from './benchmark.ts';
import { goalOf, readResult, type Result, shown } from './result.ts';

const opening = `# Benchmarks

\`npm run bench\` runs them all, one after the other, each in a process of its own (under four minutes), prints the
figures with their goals, writes \`results/<name>.json\` (figures, goals, machine, commit) and this page.
\`npm run bench -- <name> …\` runs some; \`--quick\` repeats less and records nothing; \`--strict\` ends with 1 when a
goal is missed; without it only a benchmark that failed does. Everything runs on real parts: bubblewrap, the embedded
PostgreSQL with fsync, git. Processes are shared with whatever else the machine does: the load average at the start is
recorded with each result, and figures measured under load say more about the load than about Berth.
`;

/** The page of all benchmarks with their last recorded figures. */
export function readmePage(benchmarks: readonly Benchmark[]): string {
  return [opening, ...benchmarks.map(entry)].join('\n');
}

function entry({ name, what, why, goal }: Benchmark): string {
  return [
    `- **${name}**: ${what} Why: ${why} Goal: ${goal} \`npm run bench -- ${name}\``,
    ...recorded(readResult(name)),
    '',
  ].join('\n');
}

function recorded(result: Result | null): string[] {
  if (result === null) return ['  - not recorded yet'];
  const { date, commit, machine, figures } = result;
  const told = figures.map((figure) => {
    const met = isMet(figure);
    const verdict = met === null ? '' : ` (${goalOf(figure)}: ${met ? 'met' : '**missed**'})`;
    return `${figure.name} ${shown(figure)}${verdict}`;
  });
  const { cpu, cores, memoryGiB, node, loadAverage } = machine;
  return [
    `  - recorded by \`${result.command}\` on ${date.slice(0, 10)} at ${commit}, ${cores} × ${cpu}, ${memoryGiB} GiB, Node ${node.slice(1)}, load ${loadAverage}: ${told.join('; ')}`,
    ...result.notes.map((note) => `  - ${note}`),
  ];
}
