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

/** A process and its children, as they are now. */
export function withChildren(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return [pid, ...children.split(/\s+/).filter(Boolean).map(Number)];
}
