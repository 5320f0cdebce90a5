import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BerthError } from '../../domain/errors/index.ts';

/**
 * Root gives every sandbox a uid of its own, from the end of the range that Debian's policy leaves for such use:
 * `RLIMIT_NPROC` counts per uid, and no sandbox owns another's files.
 */
const firstUid = 64_000;
const lastUid = 64_999;

/** Whether this process's user namespace knows the range (in a container it may not). */
export function sandboxUidsExist(uidMap: string = readFileSync('/proc/self/uid_map', 'utf8')): boolean {
  return uidMap.split('\n').some((line) => {
    const [inside, , count] = line.trim().split(/\s+/).map(Number);
    return inside !== undefined && count !== undefined && inside <= firstUid && inside + count > lastUid;
  });
}

/** Takes a uid that no other sandbox of this state directory has. @throws BerthError `SANDBOX_UNAVAILABLE` */
export function claimUid(stateDirectory: string, sandbox: string): number {
  const directory = join(stateDirectory, 'uids');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const count = lastUid - firstUid + 1;
  const start = Math.floor(Math.random() * count);
  for (let step = 0; step < count; step += 1) {
    const uid = firstUid + ((start + step) % count);
    try {
      closeSync(openSync(join(directory, String(uid)), 'wx', 0o600));
      return uid;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
  }
  throw new BerthError(
    'SANDBOX_UNAVAILABLE',
    `All ${count} user ids for sandboxes are in use; ${sandbox} found none.`,
  );
}

export function releaseUid(stateDirectory: string, uid: number): void {
  rmSync(join(stateDirectory, 'uids', String(uid)), { force: true });
}
