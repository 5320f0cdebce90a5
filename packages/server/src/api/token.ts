import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { BerthError } from '../domain/errors/index.ts';

/**
 * The bearer token of a file that only its owner can read; made with 256 random bits when there is none.
 * @throws BerthError `SOCKET_UNSAFE` when others can read the file or it belongs to somebody else
 */
export async function readOrCreateToken(path: string): Promise<string> {
  const fresh = randomBytes(32).toString('base64url');
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(`${fresh}\n`);
    } finally {
      await file.close();
    }
    return fresh;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const stat = await file.stat();
    if (!stat.isFile() || (stat.mode & 0o077) !== 0 || stat.uid !== process.getuid?.()) {
      throw new BerthError('SOCKET_UNSAFE', `The token file ${path} can be read by others.`, {
        next: `Remove it: a new one is made.`,
      });
    }
    const token = (await file.readFile('utf8')).trim();
    if (token.length < 43) throw new BerthError('SOCKET_UNSAFE', `The token in ${path} is too short.`);
    return token;
  } finally {
    await file.close();
  }
}

/** Compares in constant time; `header` is the whole `Authorization` value. */
export function hasToken(header: string | undefined, token: string): boolean {
  const given = /^Bearer (\S+)$/.exec(header ?? '')?.[1] ?? '';
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}
