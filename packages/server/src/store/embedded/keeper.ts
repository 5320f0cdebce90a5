import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Place } from './place.ts';
import { identify, isAlive, type ProcessIdentity } from './process-identity.ts';
import { openUsersEnd } from './users.ts';

export type KeptPlace = Pick<Place, 'root' | 'data' | 'users' | 'startLock'>;

/**
 * The keeper stops the server after its last user. It is a shell in `cat` (about 2 MB), which ends when no process
 * holds the users' pipe any more, and then becomes `keeper-main.ts`. Call it as a user and under the start lock.
 */
export async function ensureKeeper(place: KeptPlace): Promise<void> {
  const file = keeperFile(place.root);
  const known = await readFile(file, 'utf8').then(
    (text) => JSON.parse(text) as ProcessIdentity,
    () => null,
  );
  if (known !== null && known.pid !== process.pid && (await isAlive(known))) return;
  const end = openUsersEnd(place.users);
  try {
    const main = fileURLToPath(new URL('./keeper-main.ts', import.meta.url));
    const keeper = spawn(
      '/bin/sh',
      [
        '-c',
        'cat >/dev/null; exec "$0" "$@"',
        process.execPath,
        '--disable-warning=ExperimentalWarning',
        main,
        place.root,
        place.data,
        place.users,
        place.startLock,
      ],
      { cwd: '/', env: { PATH: process.env['PATH'] }, detached: true, stdio: [end, 'ignore', 'ignore'] },
    );
    keeper.unref();
    const identity = keeper.pid === undefined ? null : await identify(keeper.pid);
    if (identity !== null) await writeFile(file, JSON.stringify(identity), { mode: 0o600 });
  } finally {
    closeSync(end);
  }
}

export function keeperFile(root: string): string {
  return join(root, 'keeper.json');
}
