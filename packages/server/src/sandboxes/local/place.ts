import { execFile } from 'node:child_process';
import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { BerthError } from '../../domain/errors/index.ts';
import { ownEtcFiles } from './etc-files.ts';

const run = promisify(execFile);

/** What is remembered of a sandbox on this machine, in `place.json`. No secrets. */
const recordSchema = z.object({
  id: z.string(),
  runId: z.string(),
  createdMs: z.number(),
  bootId: z.string().nullable(),
  sandboxd: z.object({ pid: z.int(), startTicks: z.string() }).nullable(),
  uid: z.int().nullable(),
  cgroups: z.array(z.string()),
  socketDirectory: z.string(),
  /** Of the driver `container`: where its engine listens, and the container's name there. */
  container: z.object({ engine: z.string(), name: z.string(), image: z.string() }).optional(),
});
export type PlaceRecord = z.infer<typeof recordSchema>;

/** `sockaddr_un.sun_path` holds 108 bytes with its end. */
const longestSocketPath = 107;

/** The directory of one sandbox and what lies where in it. */
export class Place {
  readonly directory: string;
  constructor(stateDirectory: string, id: string) {
    if (!/^[a-z0-9][a-z0-9-]{0,127}$/.test(id)) {
      throw new BerthError(
        'SANDBOX_UNAVAILABLE',
        'The id of a sandbox has characters that its directory cannot have.',
      );
    }
    this.directory = join(stateDirectory, 'sandboxes', id);
  }
  path(...parts: readonly string[]): string {
    return join(this.directory, ...parts);
  }
  get image(): string {
    return this.path('disk.img');
  }
  get disk(): { readonly workspace: string; readonly home: string; readonly tmp: string } {
    return {
      workspace: this.path('disk', 'workspace'),
      home: this.path('disk', 'home'),
      tmp: this.path('disk', 'tmp'),
    };
  }

  /** Makes the directory; other users may walk through it, not look around. */
  make(): void {
    mkdirSync(join(this.directory, '..'), { recursive: true, mode: 0o711 });
    mkdirSync(this.directory, { mode: 0o711 });
    for (const name of ['disk', 'etc', 'mnt']) mkdirSync(this.path(name), { mode: 0o711 });
    mkdirSync(this.path('spool'), { mode: 0o700 });
    for (const [name, text] of Object.entries(ownEtcFiles))
      writeFileSync(this.path('etc', name), text, { mode: 0o644 });
  }

  /** A directory for sockets: in the place, or, where its path is too long for one, in the system's `tmp`. */
  makeSocketDirectory(): string {
    const near = this.path('s');
    const far = Buffer.byteLength(join(near, 'r', 'runner.sock')) > longestSocketPath;
    const directory = far ? mkdtempSync(join(tmpdir(), 'berth-s-')) : near;
    if (!far) mkdirSync(directory);
    for (const [name, mode] of [
      ['w', 0o700],
      ['r', 0o755],
    ] as const)
      mkdirSync(join(directory, name), { mode });
    return directory;
  }

  /** The sandbox's disk as plain directories. */
  makePlainDisk(owner: number | null): void {
    for (const path of Object.values(this.disk)) {
      mkdirSync(path, { mode: 0o700 });
      if (owner !== null) chownSync(path, owner, owner);
    }
  }

  write(record: PlaceRecord): void {
    const temporary = this.path('place.json.tmp');
    writeFileSync(temporary, JSON.stringify(record), { mode: 0o600 });
    renameSync(temporary, this.path('place.json'));
  }

  /** What was remembered, or null when there is nothing (any more, or yet). */
  read(): PlaceRecord | null {
    try {
      return recordSchema.parse(JSON.parse(readFileSync(this.path('place.json'), 'utf8')));
    } catch {
      return null;
    }
  }

  /** When the directory was made, or null when there is none. */
  createdMs(): number | null {
    try {
      return statSync(this.directory).ctimeMs;
    } catch {
      return null;
    }
  }

  /** Removes everything, whatever modes and names were left in it. */
  async remove(): Promise<void> {
    const record = this.read();
    if (record !== null && record.socketDirectory !== this.path('s')) {
      await rm(record.socketDirectory, { recursive: true, force: true });
    }
    try {
      await rm(this.directory, { recursive: true, force: true });
    } catch {
      // Directories that forbid their owner to write in them keep their files: open them first. Links are not followed.
      await run('chmod', ['-R', 'u+rwX', '--', this.directory]).catch(() => {});
      await run('rm', ['-rf', '--', this.directory]);
    }
  }
}

/** Every sandbox that has a directory, also one that was never finished. */
export function listPlaces(
  stateDirectory: string,
): ReadonlyArray<{ readonly id: string; readonly runId: string; readonly createdMs: number }> {
  return placeIds(stateDirectory).flatMap((id) => {
    const place = new Place(stateDirectory, id);
    const record = place.read();
    const createdMs = record?.createdMs ?? place.createdMs();
    return createdMs === null ? [] : [{ id, runId: record?.runId ?? '', createdMs }];
  });
}

/** Unix socket on which sandboxd listens for the worker. */
export function workerSocket(record: PlaceRecord): string {
  return join(record.socketDirectory, 'w', 'sandboxd.sock');
}

function placeIds(stateDirectory: string): string[] {
  try {
    return readdirSync(join(stateDirectory, 'sandboxes'));
  } catch {
    return [];
  }
}
