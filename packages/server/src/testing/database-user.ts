import { systemClock } from '../domain/clock.ts';
import { openDatabase } from '../store/database.ts';

// A process of its own that uses the embedded database of a home until it is killed, for tests of `store/embedded`.
const [home, rootDirectory] = process.argv.slice(2);
if (home === undefined || rootDirectory === undefined) process.exit(2);
try {
  const db = await openDatabase({
    home,
    rootDirectory,
    clock: systemClock,
    signal: new AbortController().signal,
    durable: false,
  });
  await db.sql
    .insertInto('projects')
    .values({ id: `p-${process.pid}`, name: `p-${process.pid}`, repository: `/${process.pid}` })
    .execute();
  const { n } = await db.sql
    .selectFrom('projects')
    .select((eb) => eb.fn.countAll<string>().as('n'))
    .executeTakeFirstOrThrow();
  process.stdout.write(`ready ${n}\n`);
  process.stdin.on('data', () => {
    void db.close().then(() => process.exit(0));
  });
} catch (error) {
  const { code, message } = error as { code?: string; message: string };
  process.stderr.write(`${code ?? ''} ${message}\n`);
  process.exitCode = 1;
}
