import { execFile } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { makeDiskImage } from '../local/disk-image.ts';
import type { Place } from '../local/place.ts';
import { programPath } from '../local/start-sandboxd.ts';

const run = promisify(execFile);
const env = { PATH: programPath };

/**
 * A disk of the sandbox's own, mounted in this machine's own mount namespace: that is where the engine looks. It is
 * unmounted at the end of the sandbox, by whoever ends it.
 */
export async function mountDisk(
  place: Place,
  bytes: number,
  uid: number,
  signal: AbortSignal,
): Promise<void> {
  await makeDiskImage(place.image, bytes, uid, signal);
  await run('mount', ['-o', 'loop,nosuid,nodev,noatime,discard', '--', place.image, place.path('disk')], {
    env,
    timeout: 20_000,
  });
  for (const path of Object.values(place.disk)) {
    mkdirSync(path, { mode: 0o700 });
    chownSync(path, uid, uid);
  }
}

export async function unmountDisk(place: Place): Promise<void> {
  const mountPoint = place.path('disk');
  while (isMounted(mountPoint)) {
    await run('umount', ['--', mountPoint], { env, timeout: 20_000 }).catch(() =>
      // Still held by a process on its way out: it goes with the last of them.
      run('umount', ['--lazy', '--', mountPoint], { env, timeout: 20_000 }).catch((error: unknown) => {
        // Two that end it at once: the other was first.
        if (isMounted(mountPoint)) throw error;
      }),
    );
  }
}

function isMounted(mountPoint: string): boolean {
  // Blanks and backslashes are octal in this file.
  const name = mountPoint.replaceAll('\\', '\\134').replaceAll(' ', '\\040');
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[1] === name);
}
