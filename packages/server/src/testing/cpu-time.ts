/**
 * Milliseconds of processor time that the work takes in this thread. What other processes do to the clock on the wall is
 * not in it, so that a bound can be as tight as the code is quick.
 */
export function cpuMs(work: () => unknown): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000;
}
