import { performance } from 'node:perf_hooks';

/** Nearest-rank percentile. @param share 0.5 is the median */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
  if (value === undefined) throw new Error('a percentile of no values');
  return value;
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);

/** Durations in milliseconds of `times` calls, one after the other. */
export async function timed(times: number, act: (index: number) => Promise<unknown>): Promise<number[]> {
  const durations: number[] = [];
  for (let index = 0; index < times; index += 1) {
    const startedMs = performance.now();
    await act(index);
    durations.push(performance.now() - startedMs);
  }
  return durations;
}
