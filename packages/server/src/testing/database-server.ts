import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { systemClock } from '../domain/clock.ts';
import { openAt } from '../store/database.ts';
import { openEmbedded } from '../store/embedded/open-embedded.ts';
import { databaseUser } from '../store/embedded/initialise.ts';
import { runSql } from './run-sql.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Directory of the test server's unix socket. */
    databaseSockets: string;
  }
}

/** vitest's global set-up: one PostgreSQL for the whole run, without fsync, with a migrated database to clone. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const home = await mkdtemp(join(tmpdir(), 'berth-test-'));
  const rootDirectory = join('/var/tmp', `berth-test-${process.pid}`);
  const clock = systemClock;
  const { signal } = new AbortController();
  const server = await openEmbedded({ home, clock, signal, durable: false, rootDirectory });
  await runSql(server.sockets, 'create database berth_template');
  const template = {
    kind: 'socket',
    directory: server.sockets,
    database: 'berth_template',
    user: databaseUser,
  } as const;
  await (await openAt(template, template, null, { home, clock, signal })).close();
  project.provide('databaseSockets', server.sockets);
  return async () => {
    await server.close();
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
    await rm(rootDirectory, { recursive: true, force: true, maxRetries: 5 });
  };
}
