import { execFile } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Who uses the embedded server. Every user holds the named pipe open for writing; the kernel lets go of it however
 * the user ends, `kill -9` included. Whoever reads the pipe meets its end when the last user is gone.
 */
export async function makeUsersPipe(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (found?.isFIFO() === true) return;
  await run('mkfifo', ['-m', '600', path]);
}

/** Counts the caller as a user until the returned function is called or the process ends. */
export function joinUsers(path: string): () => void {
  // Opened for both, because opening for writing alone would wait for a reader. Not inherited by children.
  let descriptor: number | null = openSync(path, constants.O_RDWR);
  return () => {
    if (descriptor !== null) closeSync(descriptor);
    descriptor = null;
  };
}

/** The reading end, for a keeper; open it only while the caller is a user, or it waits for one. */
export function openUsersEnd(path: string): number {
  return openSync(path, constants.O_RDONLY);
}

/** Whether nobody uses the server. Call it while holding the start lock, so that nobody joins meanwhile. */
export function hasNoUsers(path: string): boolean {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return readSync(descriptor, Buffer.alloc(1)) === 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false;
    throw error;
  } finally {
    closeSync(descriptor);
  }
}
