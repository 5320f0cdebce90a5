import { readFileSync } from 'node:fs';

/**
 * Reads how many processes the memory limit has killed: `oom_kill N` in `memory.events` (cgroup v2) or
 * `memory.oom_control` (v1). Answers 0 where there is no such file.
 */
export function oomKillCounter(file: string | null): () => number {
  if (file === null) return () => 0;
  return () => {
    try {
      return Number(/^oom_kill (\d+)$/m.exec(readFileSync(file, 'utf8'))?.[1] ?? 0);
    } catch {
      return 0;
    }
  };
}
