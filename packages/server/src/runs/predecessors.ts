import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Database } from '../store/database.ts';
import { identify, isAlive } from '../store/embedded/process-identity.ts';
import { endWorker } from '../store/workers/end-worker.ts';

const noteSchema = z.object({ worker: z.string(), host: z.string(), pid: z.number(), started: z.string() });

/**
 * Workers of this data directory leave a note of their process, so that whoever comes next on the same machine sees
 * at once that one was killed, instead of waiting for its lease to run out. On another machine the lease decides.
 */
export async function noteWorker(home: string, worker: string): Promise<() => Promise<void>> {
  const path = join(home, 'workers', `${worker}.json`);
  await mkdir(join(home, 'workers'), { recursive: true, mode: 0o700 });
  const started = (await identify(process.pid))?.started ?? '';
  const note = { worker, host: hostname(), pid: process.pid, started };
  await writeFile(path, JSON.stringify(note), { mode: 0o600 });
  return () => rm(path, { force: true });
}

/** Ends the leases of this machine's workers whose processes are gone. */
export async function endDeadWorkers(db: Database, home: string): Promise<void> {
  const directory = join(home, 'workers');
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter((one) => one.endsWith('.json'))) {
    const path = join(directory, name);
    const note = noteSchema.safeParse(parse(await readFile(path, 'utf8').catch(() => '')));
    if (!note.success || note.data.host !== hostname()) continue;
    if (await isAlive(note.data)) continue;
    await endWorker(db, note.data.worker);
    await rm(path, { force: true });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
