import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open, readFile, rm, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { BerthError } from '../domain/errors/index.ts';

interface Holder {
  readonly pid: number;
  /** Start time of the process in clock ticks since boot; a reused pid differs in it. Null off Linux. */
  readonly started: string | null;
  readonly token: string;
}

/** A lock file whose breaker died is given up after this long. */
const breakerStaleMs = 10_000;

function startedAt(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Field 22; the command name in parentheses may hold spaces.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

function isAlive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return holder.started === null || startedAt(holder.pid) === holder.started;
}

async function readHolder(path: string): Promise<Holder | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder;
  } catch {
    return null;
  }
}

async function createExclusive(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(text);
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function olderThan(path: string, ms: number): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found !== null && Date.now() - found.mtimeMs > ms;
}

/** Removes the lock when its holder is dead. Breakers exclude each other, so no live lock is ever removed. */
async function breakIfStale(path: string): Promise<void> {
  const judged = await readHolder(path);
  // A file without a readable holder is being written at this moment, or its writer died in between.
  const stale = judged === null ? await olderThan(path, breakerStaleMs) : !isAlive(judged);
  if (!stale) return;
  const breaker = `${path}.breaking`;
  if (await olderThan(breaker, breakerStaleMs)) await rm(breaker, { force: true });
  if (!(await createExclusive(breaker, String(process.pid)))) return;
  try {
    const present = await readHolder(path);
    if (present?.token === judged?.token) await rm(path, { force: true });
  } finally {
    await rm(breaker, { force: true });
  }
}

/**
 * Runs `work` while holding the lock file at `path`, against other processes and against this one.
 * The lock of a process that died is taken over at once.
 *
 * @throws BerthError `LOCK_TIMEOUT` after `timeoutMs`; the signal's reason when aborted
 */
export async function withFileLock<T>(
  path: string,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  work: () => Promise<T>,
): Promise<T> {
  const token = randomUUID();
  const mine = JSON.stringify({ pid: process.pid, started: startedAt(process.pid), token } satisfies Holder);
  const deadline = performance.now() + options.timeoutMs;
  for (let waitMs = 5; !(await createExclusive(path, mine)); waitMs = Math.min(waitMs * 2, 100)) {
    options.signal.throwIfAborted();
    if (performance.now() > deadline) {
      throw new BerthError('LOCK_TIMEOUT', undefined, { details: { lock: path } });
    }
    await breakIfStale(path);
    await delay(waitMs * (0.5 + Math.random() / 2), undefined, { signal: options.signal });
  }
  try {
    return await work();
  } finally {
    if ((await readHolder(path))?.token === token) await rm(path, { force: true });
  }
}
