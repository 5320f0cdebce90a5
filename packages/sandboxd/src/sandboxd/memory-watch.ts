import { readFileSync, writeFileSync } from 'node:fs';

const everyMs = 200;
/** Commands carry an OOM score of 1000 (the runner raises it, they cannot lower it); our own processes carry 0. */
const commandScore = 500;
const pageBytes = 4096;

export interface MemoryWatchOptions {
  /** The outermost process of the sandbox, or null while there is none. */
  readonly root: () => number | null;
  readonly limitBytes: number;
  /** Gets `oom_kill N`, as a control group would have it. */
  readonly counterFile: string;
}

/**
 * Where no control group holds memory, this does what one would: when all processes together are over the limit, the
 * largest command dies. Between two looks they can pass it; what one process can take is bounded by its rlimit.
 */
export function watchMemory(options: MemoryWatchOptions): void {
  let kills = 0;
  writeFileSync(options.counterFile, 'oom_kill 0\n');
  setInterval(() => {
    const root = options.root();
    if (root === null) return;
    const all = descendants(root).map((pid) => ({ pid, bytes: residentBytes(pid) }));
    if (all.reduce((sum, { bytes }) => sum + bytes, 0) <= options.limitBytes) return;
    const [largest] = all.filter(({ pid }) => isCommand(pid)).sort((a, b) => b.bytes - a.bytes);
    if (largest === undefined) return;
    kills += 1;
    // Counted first: whoever sees the process end looks here for the reason.
    writeFileSync(options.counterFile, `oom_kill ${kills}\n`);
    try {
      process.kill(largest.pid, 'SIGKILL');
    } catch {
      // It ended meanwhile.
    }
  }, everyMs);
}

function descendants(root: number): number[] {
  const found = [root];
  for (let at = 0; at < found.length; at += 1) found.push(...childrenOf(found[at]!));
  return found;
}

/** The children of a process's first thread: nothing in a sandbox that matters here forks from another. */
export function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

function residentBytes(pid: number): number {
  return (Number(read(`/proc/${pid}/statm`).split(' ')[1]) || 0) * pageBytes;
}

function isCommand(pid: number): boolean {
  return Number(read(`/proc/${pid}/oom_score_adj`)) >= commandScore;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
