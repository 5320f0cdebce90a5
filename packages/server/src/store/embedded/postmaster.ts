import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { identify } from './process-identity.ts';

/** What PostgreSQL itself says about the server of a data directory, in `postmaster.pid`. */
export interface Postmaster {
  readonly pid: number;
  readonly sockets: string;
  readonly isReady: boolean;
}

/** The running server of `data`, or null. A file left by a dead server, or whose pid now is another program's, counts as none. */
export async function findPostmaster(data: string): Promise<Postmaster | null> {
  const found = await readPostmaster(data);
  if (found === null || !(await isOurs(found.pid, data))) return null;
  return found;
}

/** Whether `postmaster.pid` names a living process that is not this data directory's server: it must be removed. */
export async function isPidFileForeign(data: string): Promise<boolean> {
  const found = await readPostmaster(data);
  return found !== null && !(await isOurs(found.pid, data));
}

async function readPostmaster(data: string): Promise<Postmaster | null> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => null);
  if (text === null) return null;
  // Lines: pid, data directory, start time, port, socket directory, listen address, shared memory, status.
  const lines = text.split('\n');
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0) return null;
  return { pid, sockets: lines[4] ?? '', isReady: lines[7]?.trim() === 'ready' };
}

async function isOurs(pid: number, data: string): Promise<boolean> {
  if ((await identify(pid)) === null) return false;
  if (process.platform !== 'linux') return true;
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return command.includes(data);
}
