import { systemClock } from '../domain/clock.ts';
import { openAt } from '../store/database.ts';
import { databaseUser } from '../store/embedded/initialise.ts';
import { startSchedules } from '../triggers/schedules/start.ts';
import { memoryAudit } from './access-world.ts';
import { handingInPlane, pinnedConfig } from './schedule-world.ts';

/** A replica with one schedule of each minute, until its standard input ends: `node schedule-process.ts SOCKETS DATABASE HOME` */
const [directory = '', database = '', home = ''] = process.argv.slice(2);
const address = { kind: 'socket', directory, database, user: databaseUser } as const;
const { signal } = new AbortController();
const db = await openAt(address, address, null, { home, clock: systemClock, signal });
const config = pinnedConfig({
  projects: [{ name: 'web', repository: '/srv/web.git' }],
  schedules: [
    { name: 'minutely', project: 'web', task: 'Look', cron: '* * * * *', overlap: 'allow', missed: 'once' },
  ],
});
const running = startSchedules({
  db,
  config,
  audit: memoryAudit(),
  controlPlane: handingInPlane(db, config),
  onError: (error) => process.stdout.write(`${error.code} ${JSON.stringify(error.details)}\n`),
});
process.stdout.write('started\n');
process.stdin.resume().once('end', () => {
  void running
    .stop()
    .then(() => db.close())
    .then(() => process.exit(0));
});
