import { join } from 'node:path';
import { systemClock } from '../../packages/server/src/domain/clock.ts';
import { databaseUser } from '../../packages/server/src/store/embedded/initialise.ts';
import { openEmbedded } from '../../packages/server/src/store/embedded/open-embedded.ts';
import type { BenchmarkContext } from './benchmark.ts';

/**
 * The embedded PostgreSQL as it comes (fsync on), all of it in the benchmark's directory, for as long as `use` takes.
 * @param use gets a `DATABASE_URL`
 */
export async function withPostgres<T>(
  { directory, signal }: BenchmarkContext,
  use: (databaseUrl: string) => Promise<T>,
): Promise<T> {
  const server = await openEmbedded({
    home: join(directory, 'database'),
    rootDirectory: join(directory, 'postgres'),
    clock: systemClock,
    signal,
  });
  try {
    return await use(
      `postgres://${databaseUser}@localhost/postgres?host=${encodeURIComponent(server.sockets)}`,
    );
  } finally {
    await server.close();
  }
}
