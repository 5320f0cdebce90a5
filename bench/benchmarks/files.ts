import { randomBytes } from 'node:crypto';
import type { BenchmarkContext, Measured } from '../lib/benchmark.ts';
import { mebibyte, withSandbox } from '../lib/sandbox.ts';
import { median, percentile, timed } from '../lib/statistics.ts';

export async function run(context: BenchmarkContext): Promise<Measured> {
  const { quick, signal } = context;
  return withSandbox(context, async (sandbox) => {
    const path = 'one-mebibyte';
    await sandbox.write(path, randomBytes(mebibyte));
    const request = (): Promise<unknown> => sandbox.stat('nothing');
    const read = async (): Promise<void> => {
      const got = await sandbox.read(path, { signal });
      if (got.byteLength !== mebibyte) throw new Error(`read ${got.byteLength} bytes`);
    };
    await timed(20, request);
    const requests = await timed(quick ? 50 : 1_000, request);
    await timed(10, read);
    const reads = await timed(quick ? 20 : 300, read);
    return {
      figures: [
        { name: 'request, median', value: median(requests), unit: 'ms' },
        { name: 'request, p99', value: percentile(requests, 0.99), unit: 'ms' },
        { name: 'read of 1 MiB, median', value: median(reads), unit: 'ms' },
        { name: 'read of 1 MiB, p99', value: percentile(reads, 0.99), unit: 'ms' },
      ],
      notes: [],
    };
  });
}
