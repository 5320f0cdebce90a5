import { readdirSync, readFileSync } from 'node:fs';

/** Resident memory of a process in MiB (Linux, `/proc`). */
export function residentMiB(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  if (found === null) throw new Error(`process ${pid} has no resident memory`);
  return Number(found[1]) / 1024;
}

/** Ids of the processes whose command line has all of these words. */
export function processesWith(...words: readonly string[]): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
        return words.every((word) => line.includes(word));
      } catch {
        return false;
      }
    });
}

/** Resident memory of a process and everything below it that lives now, in MiB; what they share counts for each. */
export function residentTreeMiB(pid: number): number {
  return childrenOf(pid).reduce((sum, child) => sum + residentTreeMiB(child), residentMiB(pid));
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
  );
}

/** Samples the resident memory of a process until it is stopped; answers the first, the highest and the last. */
export function watchMemory(
  pid: number,
  everyMs = 50,
): { stop(): { first: number; peak: number; last: number } } {
  const first = residentMiB(pid);
  let peak = first;
  const timer = setInterval(() => {
    peak = Math.max(peak, residentMiB(pid));
  }, everyMs);
  return {
    stop() {
      clearInterval(timer);
      const last = residentMiB(pid);
      return { first, peak: Math.max(peak, last), last };
    },
  };
}

/** Processor time that a process and its threads used so far, in ms, with the kernel's tick of 10 ms (Linux, `/proc`). */
export function processorMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name of the program comes second and may hold anything; what follows its bracket is numbers.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
