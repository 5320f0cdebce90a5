import { readdirSync, readFileSync } from 'node:fs';

const everyMs = 100;
/** Commands carry an OOM score of 1000 (the runner raises it, they cannot lower it); our own processes carry 0. */
const commandScore = 500;
const pageBytes = 4096;

/**
 * What is kept free below the container's limit: over it, cgroup v2 ends everything in the container. What a command can
 * take between two looks is more on a fast machine; then the kernel is first, and the container starts anew.
 */
function headroomBytes(limitBytes: number): number {
  return Math.min(96 * 1024 * 1024, limitBytes / 8);
}

export interface MemoryGuard {
  /** Commands that were ended so far because memory ran short. */
  readonly kills: () => number;
}

/** Ends the largest command when the memory of the container is nearly used up. */
export function guardMemory(limitBytes: number): MemoryGuard {
  let kills = 0;
  const mostBytes = limitBytes - headroomBytes(limitBytes);
  const meter = groupMeter(limitBytes);
  const timer = setInterval(() => {
    // The control group is one read; only when it is nearly full are processes looked at.
    const usedBytes = meter?.() ?? processes().reduce((sum, { bytes }) => sum + bytes, 0);
    if (usedBytes <= mostBytes) return;
    const [largest] = processes()
      .filter(({ pid }) => isCommand(pid))
      .sort((a, b) => b.bytes - a.bytes);
    if (largest === undefined) return;
    // Counted first: whoever sees the process end looks here for the reason.
    kills += 1;
    try {
      process.kill(largest.pid, 'SIGKILL');
    } catch {
      // It ended meanwhile.
    }
  }, everyMs);
  timer.unref();
  return { kills: () => kills };
}

/** Where a container sees its own control group: version 2, then version 1. */
const groups = [
  {
    limit: 'memory.max',
    used: 'memory.current',
    stat: 'memory.stat',
    cache: 'inactive_file',
    at: '/sys/fs/cgroup',
  },
  {
    limit: 'memory.limit_in_bytes',
    used: 'memory.usage_in_bytes',
    stat: 'memory.stat',
    cache: 'total_inactive_file',
    at: '/sys/fs/cgroup/memory',
  },
] as const;

/** What the control group uses without what it can give back; null where none with about this limit is seen. */
function groupMeter(limitBytes: number): (() => number) | null {
  for (const { at, limit, used, stat, cache } of groups) {
    const allowed = Number(read(`${at}/${limit}`).trim() || 'NaN');
    // The machine's own group would be seen where the container has none: it holds nothing for us.
    if (!(allowed > 0 && allowed <= limitBytes * 1.01)) continue;
    const line = new RegExp(`^${cache} (\\d+)$`, 'm');
    return () => Number(read(`${at}/${used}`)) - Number(line.exec(read(`${at}/${stat}`))?.[1] ?? 0);
  }
  return null;
}

function processes(): Array<{ readonly pid: number; readonly bytes: number }> {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({
      pid: Number(name),
      bytes: (Number(read(`/proc/${name}/statm`).split(' ')[1]) || 0) * pageBytes,
    }));
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
