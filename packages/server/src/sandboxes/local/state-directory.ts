import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { rootDirectory } from './identity.ts';

/**
 * Where the sandboxes of one data directory live. Root's must be reachable by the uids of sandboxes, and
 * `$BERTH_HOME` may lie in `/root`; a directory for each home, so that no installation sees, or tidies away,
 * another's sandboxes.
 * @param berthHome Absolute path of `$BERTH_HOME`.
 */
export function defaultStateDirectory(berthHome: string): string {
  if (process.getuid?.() !== 0) return join(berthHome, 'sandboxd');
  const key = createHash('sha256').update(berthHome).digest('hex').slice(0, 12);
  return join(rootDirectory, key);
}
