import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import { programFailure, readLog } from './failure.ts';
import type { Place } from './place.ts';
import { findPostmaster, isPidFileForeign } from './postmaster.ts';
import type { Programs } from './programs.ts';

const pollMs = 10;
/** A log longer than this is begun anew at the next start. */
const longestLogBytes = 4 * 1024 * 1024;
/** Recovery after a crash replays at most some checkpoints' worth of log; this is far above it. */
const startTimeoutMs = 60_000;
/** Backends of a server that was killed need a moment to notice; until then the memory they share is in use. */
const leftoverTimeoutMs = 15_000;

export interface ServerOptions {
  readonly place: Place;
  readonly programs: Programs;
  /** False switches fsync off: for tests only. */
  readonly durable: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Makes sure the server runs and is ready: finds the running one, or starts it. Call it under the start lock. */
export async function ensureServer(options: ServerOptions): Promise<'found' | 'started'> {
  const { place, clock, signal } = options;
  const startedMs = clock.monotonicMs();
  for (;;) {
    signal.throwIfAborted();
    const running = await findPostmaster(place.data);
    if (running !== null) {
      await untilReady(options, null);
      return 'found';
    }
    if (await isPidFileForeign(place.data)) await rm(join(place.data, 'postmaster.pid'), { force: true });
    const failure = await start(options);
    if (failure === null) return 'started';
    const isLeftover = /shared memory block .* is still in use|lock file .* already exists/i.test(failure);
    if (!isLeftover || clock.monotonicMs() - startedMs > leftoverTimeoutMs) {
      throw programFailure('PostgreSQL did not start', failure);
    }
    await clock.sleep(100, signal);
  }
}

/** Starts the server and waits until it is ready; what it said when it did not start. */
async function start(options: ServerOptions): Promise<string | null> {
  const { place, programs, durable } = options;
  const size = await stat(place.log).then(
    (found) => found.size,
    () => 0,
  );
  const fresh = size > longestLogBytes ? constants.O_TRUNC : 0;
  const offset = fresh === 0 ? size : 0;
  const log = await open(
    place.log,
    constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW | fresh,
    0o600,
  );
  try {
    const child = spawn(programs.postgres, serverArguments(place, durable), {
      cwd: '/',
      env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      ...place.account,
    });
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(`postgres ended with ${signal ?? code}`));
    });
    child.unref();
    const end = await untilReady(options, ended);
    return end === null ? null : `${await readLog(place.log, offset)}\n${end}`;
  } finally {
    await log.close();
  }
}

function serverArguments(place: Place, durable: boolean): string[] {
  const settings: Record<string, string> = {
    listen_addresses: '',
    unix_socket_directories: place.sockets,
    unix_socket_permissions: '0700',
    max_connections: '100',
    shared_buffers: '32MB',
    // One writer mostly, on a machine that has other work to do.
    max_parallel_workers_per_gather: '0',
    jit: 'off',
    io_method: 'sync',
    wal_level: 'minimal',
    max_wal_senders: '0',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_checkpoints: 'off',
    // Statements and rows hold what people and agents wrote: the log is not the place for it.
    log_error_verbosity: 'terse',
    log_min_error_statement: 'panic',
    max_logical_replication_workers: '0',
    ...(durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
  };
  return ['-D', place.data, ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`])];
}

async function untilReady(options: ServerOptions, ended: Promise<string> | null): Promise<string | null> {
  const { place, clock, signal } = options;
  const startedMs = clock.monotonicMs();
  const never = new Promise<never>(() => undefined);
  for (;;) {
    const found = await findPostmaster(place.data);
    if (found?.isReady === true) return null;
    if (found === null && ended === null) return null;
    if (clock.monotonicMs() - startedMs > startTimeoutMs) {
      throw new BerthError('DATABASE_START_FAILED', 'PostgreSQL was not ready within a minute.', {
        details: { log: await readLog(place.log, 0) },
      });
    }
    const end = await Promise.race([clock.sleep(pollMs, signal).then(() => null), ended ?? never]);
    if (end !== null) return end;
  }
}

/** Stops the server if it runs: fast, then at once, then by force. Resolves when it is gone. */
export async function stopServer(data: string, clock: Clock): Promise<void> {
  const startedMs = clock.monotonicMs();
  const stages: { afterMs: number; signal: NodeJS.Signals }[] = [
    { afterMs: 0, signal: 'SIGINT' },
    { afterMs: 10_000, signal: 'SIGQUIT' },
    { afterMs: 15_000, signal: 'SIGKILL' },
  ];
  for (;;) {
    const running = await findPostmaster(data);
    if (running === null) return;
    const next = stages[0];
    if (next !== undefined && clock.monotonicMs() - startedMs >= next.afterMs) {
      stages.shift();
      try {
        process.kill(running.pid, next.signal);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
    await clock.sleep(pollMs);
  }
}
