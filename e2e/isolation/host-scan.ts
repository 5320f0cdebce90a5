import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';
import type { SandboxRef } from '../../packages/server/src/domain/ports/sandbox.ts';

/** Only root reads the memory of processes of another account. */
export const canReadMemory = process.getuid?.() === 0;

/** Where a needle was found. */
export interface HostFind {
  readonly pid: number;
  readonly where: 'memory' | 'environment' | 'command line';
  readonly what: string;
}

/** Processes of this host that are a sandbox, by the way its driver starts them. */
export function sandboxProcesses(ref: SandboxRef): number[] {
  switch (ref.driver) {
    case 'bubblewrap':
    case 'container': {
      const text = safely(() => readFileSync(join(ref.address, 'place.json'), 'utf8'));
      // It is gone.
      if (text === null) return [];
      const place = JSON.parse(text) as { sandboxd: { pid: number }; uid: number | null };
      const started = withDescendants(place.sandboxd.pid);
      // An engine starts a container by itself: its processes are known by the account that is the sandbox's own.
      const own = ref.driver === 'container' && place.uid !== null ? processesOf(place.uid) : [];
      return [...new Set([...started, ...own])];
    }
    case 'kubernetes':
    case 'fake':
      throw new Error(`nobody has said yet how processes of the driver ${ref.driver} are found on this host`);
  }
}

/** The arguments of a process, each closed by a NUL; empty for one that ended meanwhile. */
export function commandOf(pid: number): string {
  return safely(() => readFileSync(`/proc/${pid}/cmdline`, 'latin1')) ?? '';
}

/** Ends a sleep of so many seconds in a sandbox, as soon as it is there. */
export async function endSleep(ref: SandboxRef, seconds: number): Promise<void> {
  // Not the shell, in whose script the number stands too.
  const command = ['sleep', seconds, ''].join('\0');
  await vi.waitFor(
    () => {
      const pid = sandboxProcesses(ref).find((one) => commandOf(one) === command);
      if (pid === undefined) throw new Error('nothing sleeps in the sandbox');
      process.kill(pid, 'SIGKILL');
    },
    { timeout: 120_000, interval: 50 },
  );
}

function processesOf(uid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => safely(() => statSync(`/proc/${name}`).uid) === uid)
    .map(Number);
}

function withDescendants(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // After the name, which may hold anything: state, then the parent.
      const fields = readFileSync(`/proc/${name}/stat`, 'latin1').split(') ').at(-1)!.split(' ');
      parents.set(Number(name), Number(fields[1]));
    } catch {
      // It ended meanwhile.
    }
  }
  const found = new Set([root]);
  for (let grew = true; grew;) {
    grew = false;
    for (const [pid, parent] of parents) {
      if (!found.has(parent) || found.has(pid)) continue;
      found.add(pid);
      grew = true;
    }
  }
  return [...found];
}

/** Looks from outside, as root: memory, environment and command line of each process, for all needles at once. */
export function scanHost(
  pids: readonly number[],
  needles: Readonly<Record<string, string>>,
): Record<string, HostFind[]> {
  const wanted = Object.entries(needles).map(([name, text]) => [name, Buffer.from(text)] as const);
  const found: Record<string, HostFind[]> = Object.fromEntries(wanted.map(([name]) => [name, []]));
  for (const pid of pids) {
    const what = nameOf(pid);
    const look = (where: HostFind['where'], bytes: Buffer): void => {
      for (const [name, needle] of wanted) {
        const of = found[name]!;
        if (of.some((one) => one.pid === pid && one.where === where) || !bytes.includes(needle)) continue;
        of.push({ pid, where, what });
      }
    };
    look('environment', safely(() => readFileSync(`/proc/${pid}/environ`)) ?? Buffer.alloc(0));
    look('command line', safely(() => readFileSync(`/proc/${pid}/cmdline`)) ?? Buffer.alloc(0));
    eachPieceOfMemory(pid, (bytes) => look('memory', bytes));
  }
  return found;
}

/** Files in the places that belong to the sandbox, below what its processes have as their root. */
export function scanFiles(pid: number, needles: Readonly<Record<string, string>>): Record<string, string[]> {
  const wanted = Object.entries(needles).map(([name, text]) => [name, Buffer.from(text)] as const);
  const found: Record<string, string[]> = Object.fromEntries(wanted.map(([name]) => [name, []]));
  const walk = (path: string): void => {
    for (const entry of safely(() => readdirSync(path, { withFileTypes: true })) ?? []) {
      const child = join(path, entry.name);
      if (entry.isDirectory()) walk(child);
      if (!entry.isFile() || (safely(() => statSync(child).size) ?? Infinity) > 8 * 1024 * 1024) continue;
      const bytes = safely(() => readFileSync(child)) ?? Buffer.alloc(0);
      for (const [name, needle] of wanted) if (bytes.includes(needle)) found[name]!.push(child);
    }
  };
  for (const place of ['workspace', 'home', 'tmp', 'run', 'var', 'etc', 'dev/shm']) {
    walk(`/proc/${pid}/root/${place}`);
  }
  return found;
}

const pageBytes = 4_096;
const pieceBytes = 4 * 1024 * 1024;

/**
 * All memory of a process that is there: of what it only reserved (Node reserves gigabytes), no page is asked for. Pieces
 * overlap by what a needle may have.
 */
function eachPieceOfMemory(pid: number, look: (bytes: Buffer) => void): void {
  const maps = safely(() => readFileSync(`/proc/${pid}/maps`, 'latin1'));
  const memory = safely(() => openSync(`/proc/${pid}/mem`, 'r'));
  const pages = safely(() => openSync(`/proc/${pid}/pagemap`, 'r'));
  const buffer = Buffer.alloc(pieceBytes);
  for (const line of maps === null || memory === null || pages === null ? [] : maps.split('\n')) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) (r[w-])[x-]. \S+ \S+ (\d+)/.exec(line);
    // What is mapped from a file and cannot be written is that file: programs and libraries.
    if (range === null || (range[3] === 'r-' && range[4] !== '0') || /\[v(?:var|syscall|dso)/.test(line))
      continue;
    const [from, to] = [Number.parseInt(range[1]!, 16), Number.parseInt(range[2]!, 16)];
    for (const [first, last] of presentRuns(pages!, from, to)) {
      for (let at = first; at < last; at += pieceBytes - pageBytes) {
        const read = safely(() => readSync(memory!, buffer, 0, Math.min(pieceBytes, last - at), at)) ?? 0;
        if (read > 0) look(buffer.subarray(0, read));
      }
    }
  }
  if (memory !== null) closeSync(memory);
  if (pages !== null) closeSync(pages);
}

/** Runs of pages that are in memory or swapped out, by the kernel's own table: the two top bits of eight bytes a page. */
function* presentRuns(pagemap: number, from: number, to: number): Generator<[number, number]> {
  const table = Buffer.alloc(1024 * 1024);
  let start: number | null = null;
  for (let at = from; at < to; at += (table.length / 8) * pageBytes) {
    const count = Math.min(table.length / 8, (to - at) / pageBytes);
    const read = safely(() => readSync(pagemap, table, 0, count * 8, (at / pageBytes) * 8)) ?? 0;
    for (let page = 0; page < count; page += 1) {
      const isPresent = page * 8 < read && table[page * 8 + 7]! >= 0x40;
      const address = at + page * pageBytes;
      if (isPresent) start ??= address;
      else if (start !== null) {
        yield [start, address];
        start = null;
      }
    }
  }
  if (start !== null) yield [start, to];
}

function nameOf(pid: number): string {
  return safely(() => readlinkSync(`/proc/${pid}/exe`)) ?? '?';
}

/** What vanishes or cannot be read holds nothing that could be found. */
function safely<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
