import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { systemClock } from '../domain/clock.ts';
import { openDatabase } from '../store/database.ts';
import { openEmbedded } from '../store/embedded/open-embedded.ts';
import { preparePlace } from '../store/embedded/place.ts';
import { runSql } from './run-sql.ts';

const run = promisify(execFile);

declare module 'vitest' {
  interface ProvidedContext {
    /** Directory of the test server's unix socket. */
    databaseSockets: string;
    /** A data directory of PostgreSQL in which nothing but our tables is. */
    databaseTemplate: string;
    /** Directory of PostgreSQL's programs. */
    databasePrograms: string;
  }
}

/** vitest's global set-up: one PostgreSQL for the whole run, without fsync, with a migrated database to clone. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const home = await mkdtemp(join(tmpdir(), 'berth-test-'));
  const rootDirectory = join('/var/tmp', `berth-test-${process.pid}`);
  const clock = systemClock;
  const { signal } = new AbortController();
  const options = { home, clock, signal, durable: false, rootDirectory };
  await (await openDatabase(options)).close();
  const place = await preparePlace(options);
  const template = `${place.data}-template`;
  await run('cp', ['-a', place.data, template]);
  const server = await openEmbedded(options);
  await runSql(server.sockets, 'create database berth_template template postgres');
  project.provide('databaseSockets', server.sockets);
  project.provide('databaseTemplate', template);
  project.provide('databasePrograms', place.programs);
  return async () => {
    await server.close();
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
    await rm(rootDirectory, { recursive: true, force: true, maxRetries: 5 });
  };
}
