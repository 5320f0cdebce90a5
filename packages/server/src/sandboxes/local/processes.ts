import { readFileSync } from 'node:fs';

/** A process that can be told from a later one with the same number. */
export interface ProcessName {
  readonly pid: number;
  /** Clock ticks after boot at which it started: field 22 of `/proc/<pid>/stat`. */
  readonly startTicks: string;
}

/** When the process started, or null when there is none. A process that ended and was not reaped counts as none. */
export function nameProcess(pid: number): ProcessName | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command's name may hold spaces and parentheses: fields count from the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, startTicks] = [fields[0], fields[19]];
    return startTicks === undefined || state === 'Z' || state === 'X' ? null : { pid, startTicks };
  } catch {
    return null;
  }
}

/** Whether exactly this process still runs. */
export function isAlive(name: ProcessName): boolean {
  return nameProcess(name.pid)?.startTicks === name.startTicks;
}

/** Signals exactly this process; false when it is gone. */
export function signalProcess(name: ProcessName, signal: NodeJS.Signals): boolean {
  if (!isAlive(name)) return false;
  try {
    process.kill(name.pid, signal);
    return true;
  } catch {
    return false;
  }
}
