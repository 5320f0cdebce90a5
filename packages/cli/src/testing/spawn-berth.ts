import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApi } from '@berth/server/api/create-api.ts';
import type { ApiOptions } from '@berth/server/api/options.ts';
import { listenApi } from '@berth/server/api/listen-api.ts';
import { socketPathOf } from '@berth/server/api/socket-path.ts';
import { compileCache } from '@berth/server/testing/compile-cache.ts';
import { FakeControlPlane, type FakeOptions } from '@berth/server/testing/fake-control-plane.ts';
import { holdAt, letGo, type Place } from './hold.ts';

export const entry = join(import.meta.dirname, 'berth-with-fake-server.ts');

export interface Finished {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process of the command, with what it has written so far. */
export interface Running {
  readonly child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Resolves once stdout or stderr holds the text; rejects when the process ends without. */
  wrote(text: string): Promise<void>;
  readonly finished: Promise<Finished>;
}

/** A data directory, a repository to stand in, and the command run against them. */
export class World {
  readonly directory = realpathSync(mkdtempSync(join(tmpdir(), 'berth-cli-')));
  readonly home = join(this.directory, 'home');
  readonly repository = join(this.directory, 'lib');
  readonly #children: ChildProcess[] = [];
  readonly #closing: (() => Promise<void>)[] = [];

  constructor() {
    mkdirSync(join(this.repository, '.git'), { recursive: true });
  }

  /** A server of the data directory in this process; its runs wait at `hold` to be let go. */
  async serve({
    hold = [],
    audit,
    ...options
  }: FakeOptions & {
    readonly hold?: readonly Place[];
    readonly audit?: NonNullable<ApiOptions['audit']>;
  } = {}): Promise<FakeControlPlane> {
    mkdirSync(this.home, { recursive: true });
    const plane = new FakeControlPlane({ pace: 0, gate: holdAt(this.home, hold), ...options });
    const app = createApi(plane, { principal: 'tester', ...(audit === undefined ? {} : { audit }) });
    await listenApi(app, { socketPath: socketPathOf(this.home) });
    this.#closing.push(async () => {
      plane.stop();
      await app.close();
    });
    return plane;
  }

  env(extra: Record<string, string> = {}): Record<string, string> {
    return {
      PATH: process.env['PATH'] ?? '',
      HOME: this.directory,
      LANG: 'C.UTF-8',
      TZ: 'UTC',
      BERTH_HOME: this.home,
      FAKE_PACE: '0',
      ...compileCache,
      ...extra,
    };
  }

  start(
    args: readonly string[],
    options: {
      env?: Record<string, string>;
      stdin?: string | Uint8Array;
      cwd?: string;
      /** A program in front that runs the rest of its arguments. */
      through?: readonly string[];
    } = {},
  ): Running {
    const [program, ...rest] = [...(options.through ?? []), process.execPath, entry, ...args];
    const child = spawn(program!, rest, {
      cwd: options.cwd ?? this.repository,
      env: this.env(options.env),
      stdio: 'pipe',
    });
    this.#children.push(child);
    let stdout = '';
    let stderr = '';
    const watchers = new Set<() => void>();
    const onPiece = (): void => {
      for (const watcher of watchers) watcher();
    };
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      stdout += piece;
      onPiece();
    });
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      stderr += piece;
      onPiece();
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.stdin ?? '');
    const finished = new Promise<Finished>((resolve) => {
      child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    });
    const wrote = async (text: string): Promise<void> =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!stdout.includes(text) && !stderr.includes(text)) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        void finished.then(() => reject(new Error(`ended without writing ${text}: ${stdout}${stderr}`)));
        look();
      });
    return { child, stdout: () => stdout, stderr: () => stderr, wrote, finished };
  }

  async run(...args: Parameters<World['start']>): Promise<Finished> {
    return this.start(...args).finished;
  }

  /** Environment of a hosting command whose runs wait at these places to be let go. */
  holding(...places: readonly Place[]): Record<string, string> {
    return { FAKE_HOLD: places.join(',') };
  }

  /** Lets the runs that wait at the place go on. */
  letGo(place: Place): void {
    letGo(this.home, place);
  }

  async end(): Promise<void> {
    for (const child of this.#children) if (child.exitCode === null) child.kill('SIGKILL');
    for (const close of this.#closing.splice(0)) await close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
