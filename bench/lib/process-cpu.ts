import { readFileSync } from 'node:fs';

/** Linux counts processor time in these for programs to read, whatever the kernel itself uses. */
const ticksPerSecond = 100;

/**
 * Milliseconds of processor time, in user and system mode, that a process and its children have used: those there now, and
 * those it has waited for.
 */
export function cpuMsWithChildren(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(/\s+/)
    .filter(Boolean);
  const ticks = [String(pid), ...children].map((one, place) => ticksOf(one, place === 0));
  return (ticks.reduce((sum, some) => sum + some, 0) / ticksPerSecond) * 1_000;
}

function ticksOf(pid: string, withEnded: boolean): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // After the name, which may hold anything: state is field 3, utime 14, stime 15, cutime 16, cstime 17.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [user = 0, system = 0, userOfEnded = 0, systemOfEnded = 0] = fields.slice(11, 15).map(Number);
    return user + system + (withEnded ? userOfEnded + systemOfEnded : 0);
  } catch {
    return 0;
  }
}
