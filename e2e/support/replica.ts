import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { inject } from 'vitest';
import { databaseUser } from '../../packages/server/src/store/embedded/initialise.ts';
import { runSql } from '../../packages/server/src/testing/run-sql.ts';

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

/** A database of its own in the tests' PostgreSQL, as an URL. */
export async function externalDatabase(): Promise<{ readonly url: string; remove(): Promise<void> }> {
  const name = `e_${randomBytes(6).toString('hex')}`;
  const sockets = inject('databaseSockets');
  await runSql(sockets, `create database ${name}`);
  return {
    url: `postgres://${databaseUser}@localhost/${name}?host=${encodeURIComponent(sockets)}`,
    remove: () => runSql(sockets, `drop database if exists ${name} with (force)`),
  };
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
