import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { systemClock } from '../../packages/server/src/domain/clock.ts';
import { databaseUser } from '../../packages/server/src/store/embedded/initialise.ts';
import { openEmbedded } from '../../packages/server/src/store/embedded/open-embedded.ts';
import type { BenchmarkContext } from './benchmark.ts';
import { cpuMsWithChildren } from './process-cpu.ts';

export interface BenchmarkPostgres {
  /** Processor time that all of its processes have used. */
  cpuMs(): number;
}

/**
 * The embedded PostgreSQL as it comes (fsync on), all of it in the benchmark's directory, for as long as `use` takes.
 * @param use gets a `DATABASE_URL`, and what can be asked of the server
 */
export async function withPostgres<T>(
  { directory, signal }: BenchmarkContext,
  use: (databaseUrl: string, postgres: BenchmarkPostgres) => Promise<T>,
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
      { cpuMs: () => cpuMsWithChildren(pidAt(server.sockets)) },
    );
  } finally {
    await server.close();
  }
}

/** The first line of the lock beside the socket. */
function pidAt(sockets: string): number {
  return Number(readFileSync(join(sockets, '.s.PGSQL.5432.lock'), 'utf8').split('\n')[0]);
}
