import { statfs } from 'node:fs/promises';
import { BerthError } from '../domain/errors/index.ts';
import type { Clock } from '../domain/ports/clock.ts';

const firstWaitMs = 500;
const longestWaitMs = 5_000;
/** After this long nobody will come; the run then ends with the code. */
const patienceMs = 10 * 60_000;

/** Less room than this is a full disk: a step writes packs, blobs and the disk of a sandbox. */
const leastFreeBytes = 16 * 1024 * 1024;
/** What else a full disk of the host looks like: the disks of sandboxes lie on it, and get errors of their own. */
const looksLike = /^(SANDBOX|RUNNER|EXEC|FILE|DELIVERY|CHECKPOINT|GIT)_|^INTERNAL$/;

/** Whether the disk of a directory has no room to speak of. */
export async function hasNoRoom(directory: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize < leastFreeBytes;
}

/** How long a run waits for room on a full disk of its host, before what it was doing counts as failed. */
export interface FullDisk {
  /** Waits when the error is a full disk and it was not full for too long: true when it should be tried again. */
  waited(error: BerthError, signal: AbortSignal): Promise<boolean>;
  /** Something worked: the next full disk is a new one. */
  passed(): void;
}

/**
 * A full disk of the data directory is for a person to mend; until then the sandbox and all work in it are kept.
 * @param tell is told once for each time that the disk is found full
 * @param isFull looks at the disk itself
 */
export function fullDisk(
  clock: Clock,
  tell: (error: BerthError) => void,
  isFull: () => Promise<boolean>,
): FullDisk {
  let full: { readonly sinceMs: number; waitMs: number } | null = null;
  return {
    async waited(error, signal) {
      const found = await causeOf(error, isFull);
      if (found === null) return false;
      if (full === null) {
        full = { sinceMs: clock.monotonicMs(), waitMs: firstWaitMs };
        tell(found);
      }
      if (clock.monotonicMs() - full.sinceMs > patienceMs) return false;
      await clock.sleep(full.waitMs, signal);
      full.waitMs = Math.min(full.waitMs * 2, longestWaitMs);
      return true;
    },
    passed() {
      full = null;
    },
  };
}

async function causeOf(error: BerthError, isFull: () => Promise<boolean>): Promise<BerthError | null> {
  if (error.code === 'DATABASE_DISK_FULL' || error.code === 'GIT_DISK_FULL') return error;
  if (!looksLike.test(error.code) || !(await isFull().catch(() => false))) return null;
  return new BerthError('DATABASE_DISK_FULL', 'The disk that holds the data directory is full.', {
    cause: error,
  });
}
