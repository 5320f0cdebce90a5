import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Sandbox } from '../../packages/server/src/domain/ports/sandbox.ts';
import type { BenchmarkContext, Figure, Measured } from '../lib/benchmark.ts';
import { printing, runCommand, withSandbox } from '../lib/sandbox.ts';
import { median, percentile, timed } from '../lib/statistics.ts';

const agedCalls = 2_000;
const agedMib = 200;

export async function run(context: BenchmarkContext): Promise<Measured> {
  const { quick, signal } = context;
  const alone = await timed(quick ? 20 : 200, () => once(spawn('true', { stdio: 'ignore' }), 'exit'));
  return withSandbox(context, async (sandbox) => {
    const fresh = await roundTrips(sandbox, context);
    // Finished calls stay in the journal as they do in a run where nobody forgets them.
    const calls = quick ? 100 : agedCalls;
    const mib = quick ? 10 : agedMib;
    for (let call = 0; call < calls; call += 1) await runCommand(sandbox, ['true'], { signal, keep: true });
    await runCommand(sandbox, printing(mib), { signal, keep: true });
    const aged = await roundTrips(sandbox, context);
    return {
      figures: [
        ...figures('fresh', fresh),
        ...figures('aged', aged),
        { name: 'spawn of `true` alone, median', value: median(alone), unit: 'ms' },
        { name: 'spawn of `true` alone, p99', value: percentile(alone, 0.99), unit: 'ms' },
      ],
      notes: [`aged: after ${calls} calls that nobody told sandboxd to forget, and ${mib} MiB of output`],
    };
  });
}

async function roundTrips(sandbox: Sandbox, { quick, signal }: BenchmarkContext): Promise<number[]> {
  // `keep`: forgetting a call is a round trip of its own.
  const call = (): Promise<void> => runCommand(sandbox, ['true'], { signal, keep: true });
  await timed(quick ? 5 : 50, call);
  return timed(quick ? 50 : 500, call);
}

function figures(age: string, durations: readonly number[]): Figure[] {
  return [
    { name: `${age}, median`, value: median(durations), unit: 'ms', goal: { below: 5 } },
    { name: `${age}, p99`, value: percentile(durations, 0.99), unit: 'ms', goal: { below: 20 } },
  ];
}
