import { readdirSync, readFileSync } from 'node:fs';

/** One process, as `/proc/<pid>/stat` has it. */
interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  readonly zombie: boolean;
}

function rows(): ProcessRow[] {
  const found: ProcessRow[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      // The command's name stands in parentheses and may hold anything; the fields follow the last one.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      found.push({
        pid: Number(name),
        zombie: fields[0] === 'Z' || fields[0] === 'X',
        parent: Number(fields[1]),
        group: Number(fields[2]),
        session: Number(fields[3]),
      });
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}

function hasMark(pid: number, mark: string, prefix: boolean): boolean {
  try {
    const environment = `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`;
    return environment.includes(prefix ? `\0${mark}` : `\0${mark}\0`);
  } catch {
    return false;
  }
}

export interface TreeQuery {
  /** The environment entry all processes of the call were started with. */
  readonly mark: string;
  /** Whether `mark` is only the entry's beginning: all calls of this sandbox. */
  readonly prefix?: boolean;
  /** The call's first process while it lives; its process group and session belong to the call. */
  readonly leader?: number;
}

/** The living processes of a call: by ancestry, group, session, and by the mark in their environment. */
export function processesOf(query: TreeQuery): number[] {
  const all = rows();
  const members = new Set<number>();
  for (const row of all) {
    const byGroup = query.leader !== undefined && [row.pid, row.group, row.session].includes(query.leader);
    if (row.pid !== process.pid && (byGroup || hasMark(row.pid, query.mark, query.prefix === true)))
      members.add(row.pid);
  }
  for (let grown = true; grown;) {
    grown = false;
    for (const row of all) {
      if (!members.has(row.pid) && members.has(row.parent) && row.pid !== process.pid) {
        members.add(row.pid);
        grown = true;
      }
    }
  }
  return all.filter((row) => members.has(row.pid) && !row.zombie).map((row) => row.pid);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended meanwhile.
  }
}

/** Sends a signal to every process of a call, once. */
export function signalTree(query: TreeQuery, signal: NodeJS.Signals): void {
  for (const pid of processesOf(query)) send(pid, signal);
}

/**
 * Kills every process of a call and looks again until none is left, for at most two seconds. Processes are stopped
 * before they are killed, so that a fork bomb does not outrun the sweep.
 */
export async function killTree(
  query: TreeQuery,
  spare: () => ReadonlySet<number> = () => new Set(),
): Promise<void> {
  for (let round = 0; round < 80; round += 1) {
    const spared = spare();
    const pids = processesOf(query).filter((pid) => !spared.has(pid));
    if (pids.length === 0) return;
    for (const pid of pids) send(pid, 'SIGSTOP');
    for (const pid of pids) send(pid, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Memory of all processes of a query in bytes (resident, shared pages counted in each), and their number. */
export function usageOf(query: TreeQuery): { memoryBytes: number; processes: number } {
  const pids = processesOf(query);
  let pages = 0;
  for (const pid of pids) {
    try {
      pages += Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]);
    } catch {
      // It ended meanwhile.
    }
  }
  return { memoryBytes: pages * 4096, processes: pids.length };
}

/** The limit on processes of this process, or infinity. */
function processLimit(): number {
  const text = /^Max processes\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
  return text === undefined ? Number.POSITIVE_INFINITY : Number(text);
}

let limit: number | null = null;

/** Whether more than half of the processes that may exist do; one directory read, about 50 µs in a sandbox. */
export function isCrowded(): boolean {
  limit ??= processLimit();
  return readdirSync('/proc').filter((name) => /^\d/.test(name)).length > limit / 2;
}
