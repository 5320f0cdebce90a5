import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findCgroups, type CgroupLayout } from '../local/cgroups.ts';
import { diskImagesWork } from '../local/disk-image.ts';
import { sandboxUidsExist } from '../local/identity.ts';
import { hardLimits } from './plan.ts';
import { assemble, filterArchitecture, seccompProgram } from './seccomp.ts';

const run = promisify(execFile);

/** What this machine offers to the driver; found once per process. */
export interface Host {
  readonly isRoot: boolean;
  /** Null when bubblewrap is missing. */
  readonly bubblewrapVersion: string | null;
  readonly hasUids: boolean;
  readonly cgroups: CgroupLayout;
  /** Null: disks are images of their own. Otherwise why not. */
  readonly noDiskImages: string | null;
  /** The filter's bytes, or null on an architecture without tables. */
  readonly filter: Buffer | null;
  readonly hard: { readonly openFiles: number; readonly processes: number };
}

/** Looks at the machine; makes the state directory. Takes about 40 ms. */
export async function inspectHost(stateDirectory: string, signal?: AbortSignal): Promise<Host> {
  const isRoot = process.getuid?.() === 0;
  mkdirSync(stateDirectory, { recursive: true, mode: isRoot ? 0o711 : 0o700 });
  mkdirSync(join(stateDirectory, 'sandboxes'), { recursive: true, mode: 0o711 });
  const architecture = filterArchitecture();
  const [version, noDiskImages] = await Promise.all([
    run('bwrap', ['--version'], { signal, timeout: 10_000 }).then(
      ({ stdout }) => stdout.trim().replace(/^bubblewrap /, ''),
      () => null,
    ),
    isRoot ? diskImagesWork(stateDirectory, signal) : Promise.resolve('only root can mount them'),
  ]);
  return {
    isRoot,
    bubblewrapVersion: version,
    hasUids: sandboxUidsExist(),
    cgroups: findCgroups(),
    noDiskImages,
    filter: architecture === null ? null : assemble(seccompProgram(architecture)),
    hard: hardLimits(readFileSync('/proc/self/limits', 'utf8')),
  };
}
