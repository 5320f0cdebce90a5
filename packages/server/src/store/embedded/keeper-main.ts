import { rm } from 'node:fs/promises';
import { systemClock } from '../../domain/clock.ts';
import { ensureKeeper, keeperFile } from './keeper.ts';
import { stopServer } from './server.ts';
import { withStartLock } from './start-lock.ts';
import { hasNoUsers, joinUsers } from './users.ts';

const [root, data, users, startLock] = process.argv.slice(2);
if (root === undefined || data === undefined || users === undefined || startLock === undefined) {
  process.exit(2);
}
// The last user is gone. Another may have come since, who found this keeper alive and counts on it.
await withStartLock(startLock, systemClock, new AbortController().signal, async () => {
  if (hasNoUsers(users)) {
    await stopServer(data, systemClock);
    await rm(keeperFile(root), { force: true });
    return;
  }
  const leave = joinUsers(users);
  await ensureKeeper({ root, data, users, startLock });
  leave();
});
