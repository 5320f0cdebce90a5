import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { systemClock } from '../../packages/server/src/domain/clock.ts';
import { databaseUser } from '../../packages/server/src/store/embedded/initialise.ts';
import { compileCache } from '../../packages/server/src/testing/compile-cache.ts';
import { openEmbedded } from '../../packages/server/src/store/embedded/open-embedded.ts';
import { runSql } from '../../packages/server/src/testing/run-sql.ts';
import { seedDatabase } from '../../packages/server/src/testing/seed-database.ts';
import { postmasterOf } from './postgres.ts';

const berth = join(import.meta.dirname, '../../packages/cli/src/main.ts');

export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

/** A process of `berth serve`. */
export interface Replica {
  readonly parts: string;
  readonly pid: number;
  /** Where it listens on TCP. */
  readonly url: string;
  readonly log: readonly LogLine[];
  readonly exit: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  kill(signal: NodeJS.Signals): void;
}

/** A PostgreSQL apart from all others, as the replicas' `DATABASE_URL`; they do nothing for its life. */
export interface ExternalDatabase {
  readonly url: string;
  /** A fast shutdown, in which sessions are cut off; then the server is started again. */
  restart(): Promise<void>;
  remove(): Promise<void>;
}

export async function externalDatabase(): Promise<ExternalDatabase> {
  const home = await mkdtemp(join(tmpdir(), 'berth-external-'));
  const rootDirectory = join('/var/tmp', `berth-e2e-${process.pid}-${randomBytes(4).toString('hex')}`);
  const { signal } = new AbortController();
  await seedDatabase({ home, rootDirectory });
  const server = await openEmbedded({ home, clock: systemClock, signal, durable: false, rootDirectory });
  const name = 'replicas';
  await runSql(server.sockets, `create database ${name}`);
  return {
    url: `postgres://${databaseUser}@localhost/${name}?host=${encodeURIComponent(server.sockets)}`,
    async restart() {
      const pid = postmasterOf({ home, databaseRoot: rootDirectory });
      if (pid === null) throw new Error('there is no PostgreSQL to restart');
      process.kill(pid, 'SIGINT');
      while (isThere(pid)) await wait(20);
      await server.revive(signal);
    },
    async remove() {
      await server.close();
      await rm(home, { recursive: true, force: true, maxRetries: 5 });
      await rm(rootDirectory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Starts `berth serve` and waits until it is ready. */
export async function startReplica(
  parts: 'api' | 'worker' | 'api,worker',
  options: { readonly home: string; readonly databaseUrl: string; readonly env?: Record<string, string> },
): Promise<Replica> {
  const child: ChildProcess = spawn(
    process.execPath,
    ['--no-warnings', berth, 'serve', '--parts', parts, '--listen', '127.0.0.1:0', '--workers', '2'],
    {
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: process.env['HOME'] ?? '',
        ...compileCache,
        BERTH_HOME: options.home,
        DATABASE_URL: options.databaseUrl,
        ...options.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const log: LogLine[] = [];
  let errors = '';
  const { promise: ready, resolve, reject } = Promise.withResolvers<string>();
  const exit = once(child, 'exit').then(([code, signal]) => {
    reject(new Error(`berth serve --parts ${parts} ended (${String(code)}): ${errors}`));
    return { code: code as number | null, signal: signal as string | null };
  });
  child.stderr?.on('data', (data: Buffer) => {
    errors += data.toString();
  });
  createInterface({ input: child.stdout! }).on('line', (line) => {
    if (process.env['E2E_VERBOSE'] !== undefined) process.stderr.write(`${parts} ${child.pid} ${line}\n`);
    const said = JSON.parse(line) as LogLine;
    log.push(said);
    if (said.msg === 'ready') resolve(String(said['url']));
  });
  const url = await ready;
  return {
    parts,
    pid: child.pid!,
    url,
    log,
    exit,
    kill: (signal) => void child.kill(signal),
  };
}
