import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';

/** Longest socket path used as it is: the kernel takes 107 bytes, and the temporary name beside it needs some. */
const maxBytes = 100;

/**
 * Where the server of a data directory listens: `<home>/run/api.sock`, or, when that is too long for a socket, a
 * short path of this user's own directory below `/tmp`. The same rule stands in the server.
 */
export function socketPathOf(home: string, uid = process.getuid?.() ?? 0): string {
  const plain = join(resolve(home), 'run', 'api.sock');
  if (Buffer.byteLength(plain) <= maxBytes) return plain;
  const digest = createHash('sha256').update(resolve(home)).digest('hex').slice(0, 24);
  return `/tmp/berth-${uid}/${digest}.sock`;
}
