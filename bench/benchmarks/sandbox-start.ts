import type { Sandbox } from '../../packages/server/src/domain/ports/sandbox.ts';
import type { BenchmarkContext, Measured } from '../lib/benchmark.ts';
import { bubblewrapDriver, newSpec, runCommand } from '../lib/sandbox.ts';
import { processesWith, residentMiB } from '../lib/process-memory.ts';
import { median, percentile, timed } from '../lib/statistics.ts';

export async function run(context: BenchmarkContext): Promise<Measured> {
  const { quick, signal } = context;
  const driver = bubblewrapDriver(context);
  const made: Sandbox[] = [];
  const start = async (): Promise<void> => {
    const sandbox = await driver.create(newSpec(), signal);
    made.push(sandbox);
    await runCommand(sandbox, ['true'], { signal, keep: true });
  };
  const removals: number[] = [];
  const startAndRemove = async (): Promise<number> => {
    const [ms = 0] = await timed(1, start);
    removals.push(...(await timed(1, async () => made.pop()?.destroy())));
    return ms;
  };
  try {
    const first = await startAndRemove();
    await startAndRemove();
    const durations: number[] = [];
    for (let index = 0; index < (quick ? 3 : 20); index += 1) durations.push(await startAndRemove());
    await start();
    const sandboxd = processesWith('sandboxd.mjs', made[0]?.ref.id ?? '')[0];
    if (sandboxd === undefined) throw new Error('no process of sandboxd was found');
    return {
      figures: [
        { name: 'first finished exec, median', value: median(durations), unit: 'ms' },
        { name: 'first finished exec, p95', value: percentile(durations, 0.95), unit: 'ms' },
        { name: 'the very first (looks at the host)', value: first, unit: 'ms' },
        { name: 'removal, median', value: median(removals), unit: 'ms' },
        { name: 'idle sandboxd', value: residentMiB(sandboxd), unit: 'MiB' },
      ],
      notes: [],
    };
  } finally {
    for (const sandbox of made) await sandbox.destroy();
  }
}
