import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BerthError } from '../../domain/errors/index.ts';

/**
 * Root gives every sandbox a uid of its own, from the end of the range that Debian's policy leaves for such use:
 * `RLIMIT_NPROC` counts per uid, and no sandbox owns another's files.
 */
const firstUid = 64_000;
const lastUid = 64_999;

/** Where root keeps what sandboxes must reach; uids are claimed here, once for all installations of a machine. */
export const rootDirectory = '/var/lib/berth';

/** Whether this process's user namespace knows the range (in a container it may not). */
export function sandboxUidsExist(uidMap: string = readFileSync('/proc/self/uid_map', 'utf8')): boolean {
  return uidMap.split('\n').some((line) => {
    const [inside, , count] = line.trim().split(/\s+/).map(Number);
    return inside !== undefined && count !== undefined && inside <= firstUid && inside + count > lastUid;
  });
}

/**
 * Takes a uid that no other sandbox of this machine has.
 * @param place Directory of the sandbox, which exists already: a claim whose directory is gone is stale.
 * @throws BerthError `SANDBOX_UNAVAILABLE`
 */
export function claimUid(place: string): number {
  const directory = join(rootDirectory, 'uids');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const count = lastUid - firstUid + 1;
  const start = Math.floor(Math.random() * count);
  for (let step = 0; step < count; step += 1) {
    const uid = firstUid + ((start + step) % count);
    const file = join(directory, String(uid));
    try {
      writeFileSync(file, place, { flag: 'wx', mode: 0o600 });
      return uid;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      // A worker that died in between leaves a claim without a sandbox.
      if (isStale(file)) rmSync(file, { force: true });
    }
  }
  throw new BerthError(
    'SANDBOX_UNAVAILABLE',
    `All ${count} user ids for sandboxes are in use; ${place} found none.`,
  );
}

export function releaseUid(uid: number): void {
  rmSync(join(rootDirectory, 'uids', String(uid)), { force: true });
}

function isStale(file: string): boolean {
  try {
    const place = readFileSync(file, 'utf8');
    return place !== '' && !existsSync(place);
  } catch {
    return false;
  }
}
