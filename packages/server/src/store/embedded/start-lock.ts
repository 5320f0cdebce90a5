import { randomBytes } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { Clock } from '../../domain/ports/clock.ts';
import { identify, isAlive, type ProcessIdentity } from './process-identity.ts';

const pollMs = 25;

/**
 * Runs `work` while no other process of the same home does. The lock is a file that names its holder by pid and
 * start time, so a holder that was killed blocks nobody. Should two ever break a stale lock at the same instant,
 * PostgreSQL's own lock and the atomic rename of a new data directory still hold: the loser tries again.
 */
export async function withStartLock<T>(
  path: string,
  clock: Clock,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const me = await identify(process.pid);
  const mark = `${path}.${process.pid}-${randomBytes(6).toString('hex')}`;
  const text = JSON.stringify({ ...(me ?? { pid: process.pid, started: '' }), mark });
  await writeFile(mark, text, { mode: 0o600 });
  try {
    while (!(await tryLink(mark, path))) {
      signal.throwIfAborted();
      if (await isStale(path)) await breakLock(path);
      else await clock.sleep(pollMs, signal);
    }
    try {
      return await work();
    } finally {
      if ((await readFile(path, 'utf8').catch(() => '')) === text) await rm(path, { force: true });
    }
  } finally {
    await rm(mark, { force: true });
  }
}

async function tryLink(mark: string, path: string): Promise<boolean> {
  try {
    await link(mark, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function isStale(path: string): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return false;
  const holder = parse(text);
  return holder === null || !(await isAlive(holder));
}

function parse(text: string): ProcessIdentity | null {
  try {
    const value = JSON.parse(text) as Partial<ProcessIdentity>;
    return typeof value.pid === 'number' && typeof value.started === 'string'
      ? { pid: value.pid, started: value.started }
      : null;
  } catch {
    return null;
  }
}

/** Moves the stale lock away; one that turns out to be a living holder's is put back. */
async function breakLock(path: string): Promise<void> {
  const aside = `${path}.stale-${randomBytes(6).toString('hex')}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  if (!(await isStale(aside))) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}
