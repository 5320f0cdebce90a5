import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { BenchmarkContext, Measured } from '../lib/benchmark.ts';
import { processesWith, watchMemory } from '../lib/process-memory.ts';
import { mebibyte, printing, runCommand, withSandbox } from '../lib/sandbox.ts';

/** The reader stands still for so long at first, and takes so much per second then. */
const stallMs = 3_000;
const readerMibPerSecond = 20;

export async function run(context: BenchmarkContext): Promise<Measured> {
  const { quick, signal } = context;
  const mib = quick ? 20 : 200;
  return withSandbox(context, async (sandbox) => {
    const sandboxd = processesWith('sandboxd.mjs', sandbox.ref.id)[0];
    if (sandboxd === undefined) throw new Error('no process of sandboxd was found');
    // A fast reader first: buffers are allocated once and stay, and only what is above them is the slow reader's doing.
    const before = watchMemory(process.pid);
    const beforeAtSandboxd = watchMemory(sandboxd);
    let fastBytes = 0;
    const fastStartMs = performance.now();
    await runCommand(sandbox, printing(mib), {
      signal,
      onOutput: ({ data }) => {
        fastBytes += data.byteLength;
      },
    });
    const fastSeconds = (performance.now() - fastStartMs) / 1_000;
    const [fastAtWorker, fastAtSandboxd] = [before.stop(), beforeAtSandboxd.stop()];
    const worker = watchMemory(process.pid);
    const other = watchMemory(sandboxd);
    let bytes = 0;
    let startedMs = 0;
    await runCommand(sandbox, printing(mib), {
      signal,
      onOutput: async ({ data }) => {
        if (bytes === 0) {
          await delay(stallMs, undefined, { signal });
          startedMs = performance.now();
        }
        bytes += data.byteLength;
        const dueMs = startedMs + (bytes / mebibyte / readerMibPerSecond) * 1_000;
        const aheadMs = dueMs - performance.now();
        if (aheadMs > 5) await delay(aheadMs, undefined, { signal });
      },
    });
    if (bytes !== mib * mebibyte) throw new Error(`got ${bytes} bytes of ${mib} MiB`);
    const [atWorker, atSandboxd] = [worker.stop(), other.stop()];
    return {
      figures: [
        {
          name: 'worker, growth',
          value: atWorker.peak - atWorker.first,
          unit: 'MiB',
          goal: { below: 32 },
        },
        { name: 'worker, peak', value: atWorker.peak, unit: 'MiB' },
        {
          name: 'sandboxd, growth',
          value: atSandboxd.peak - atSandboxd.first,
          unit: 'MiB',
          goal: { below: 32 },
        },
        { name: 'sandboxd, peak', value: atSandboxd.peak, unit: 'MiB' },
        { name: 'a fast reader before', value: fastBytes / mebibyte / fastSeconds, unit: 'MiB/s' },
        { name: 'worker, growth with it', value: fastAtWorker.peak - fastAtWorker.first, unit: 'MiB' },
        { name: 'sandboxd, growth with it', value: fastAtSandboxd.peak - fastAtSandboxd.first, unit: 'MiB' },
      ],
      notes: [
        'resident memory, sampled every 50 ms, growth over the first sample, after a fast reader took as much; the worker is the benchmark itself',
      ],
    };
  });
}
