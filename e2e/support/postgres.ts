import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { World } from './world.ts';

/** The pid of the world's embedded PostgreSQL; null while there is none. */
export function postmasterOf(world: Pick<World, 'home' | 'databaseRoot'>): number | null {
  const [file] = [
    ...globSync(join(world.databaseRoot, '*/data/postmaster.pid')),
    join(world.home, 'postgres/data/postmaster.pid'),
  ].filter((path) => existsSync(path));
  return file === undefined ? null : Number(readFileSync(file, 'utf8').split('\n')[0]);
}

/**
 * Stops the server and all of its processes, as a machine that hangs does; the returned function lets them go on. The
 * server itself first: from then on it starts no other, and those there are cannot be mistaken for later ones.
 */
export function stopServer(postmaster: number | null): () => void {
  const stopped: number[] = [];
  const stop = (pid: number | null): void => {
    if (signalProcess(pid, 'SIGSTOP') && pid !== null) stopped.push(pid);
  };
  stop(postmaster);
  for (const child of childrenOf(postmaster)) stop(child);
  return () => {
    for (const pid of stopped) signalProcess(pid, 'SIGCONT');
  };
}

/** Whether the process was there to be told. Never pid 0, which would be everybody. */
export function signalProcess(pid: number | null, signal: NodeJS.Signals): boolean {
  if (pid === null || !(pid > 0)) throw new Error(`There is no process to send ${signal} to.`);
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

function childrenOf(pid: number | null): number[] {
  if (pid === null) return [];
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return children.split(/\s+/).filter(Boolean).map(Number);
}
