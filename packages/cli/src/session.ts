import { lstat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, isUnreachable, socketPathOf, type BerthClient } from '@berth/client';
import { failure } from './failure.ts';
import type { Io } from './io.ts';
import type { Remote } from './remote/remote.ts';
import type { HostedServer, StartOptions } from './server-module.ts';

/** How long a server may take to answer whether it can serve. */
const readyTimeoutMs = 15_000;
/** Rounds of looking for a server and starting one before giving up. */
const maxRounds = 40;

/** `$BERTH_HOME`, or `~/.berth`. */
export function homeOf(env: Io['env']): string {
  const given = env['BERTH_HOME'];
  return given !== undefined && given !== '' ? resolve(given) : join(homedir(), '.berth');
}

export interface SessionOptions {
  readonly io: Pick<Io, 'env' | 'loadServer'>;
  readonly parts: StartOptions['parts'];
  readonly onProgress: (sentence: string) => void;
  /** Whether to host a server when none runs; otherwise `SERVER_UNREACHABLE`. */
  readonly mayHost?: boolean;
  /** A server elsewhere; null: that of the data directory. */
  readonly remote?: Remote | null;
}

/**
 * The way to the server of the data directory: the one that runs, or one in this process for as long as the
 * session lasts. Never opens the database itself.
 */
export class Session {
  readonly #options: SessionOptions;
  readonly #socketPath: string;
  #hosted: HostedServer | null = null;
  #client: BerthClient | null = null;
  #isClosed = false;
  readonly #remote: Remote | null;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#remote = options.remote ?? null;
    this.#socketPath = socketPathOf(homeOf(options.io.env));
  }

  /** Whether this process is the server. */
  get isHost(): boolean {
    return this.#hosted !== null;
  }

  /** Whether the server is elsewhere: nothing is hosted then, and paths of this machine mean nothing to it. */
  get isRemote(): boolean {
    return this.#remote !== null;
  }

  /** The client last connected. */
  get client(): BerthClient {
    if (this.#client === null) throw new Error('the session is not connected');
    return this.#client;
  }

  /**
   * Connects to the server that runs, or becomes it. Also the answer to a lost connection: the host may have ended,
   * and then somebody has to take over.
   */
  async connect(): Promise<BerthClient> {
    for (let round = 1; ; round += 1) {
      if (this.#hosted !== null && this.#client !== null) return this.#client;
      if (this.#isClosed) throw failure('SERVER_UNREACHABLE', 'The command is ending.');
      // Nothing to look for: whoever asks learns whether it answers.
      if (this.#remote !== null) return (this.#client = createClient(addressOf(this.#remote)));
      const found = await this.#find();
      if (found !== null) return (this.#client = found);
      if (this.#options.mayHost === false) {
        throw failure('SERVER_UNREACHABLE', 'No server runs for the data directory.');
      }
      try {
        return await this.#host();
      } catch (error) {
        // Somebody else was quicker: that one is the server then.
        if (!isCode(error, 'SERVER_RUNNING') || round >= maxRounds) throw error;
        await sleep(150);
      }
    }
  }

  /** Ends the hosted server, when there is one. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const hosted = this.#hosted;
    this.#hosted = null;
    await hosted?.stop();
  }

  async #find(): Promise<BerthClient | null> {
    const directory = await lstat(dirname(this.#socketPath)).catch(() => null);
    if (directory === null) return null;
    if (directory.uid !== process.getuid?.() && process.getuid?.() !== 0) {
      throw failure('SOCKET_UNSAFE', `${dirname(this.#socketPath)} belongs to somebody else.`);
    }
    const client = createClient({ socketPath: this.#socketPath });
    try {
      await client.ready(AbortSignal.timeout(readyTimeoutMs));
      return client;
    } catch (error) {
      if (isUnreachable(error)) return null;
      throw error instanceof Error && error.name === 'TimeoutError'
        ? failure('SERVER_UNREACHABLE', 'The server of the data directory does not answer.')
        : error;
    }
  }

  async #host(): Promise<BerthClient> {
    const { io, parts, onProgress } = this.#options;
    const server = await io.loadServer();
    const hosted = await server.startServer({
      home: homeOf(io.env),
      env: io.env,
      parts,
      onProgress,
    });
    if (this.#isClosed) {
      await hosted.stop();
      throw failure('SERVER_UNREACHABLE', 'The command is ending.');
    }
    this.#hosted = hosted;
    return (this.#client = createClient({ socketPath: hosted.socketPath }));
  }
}

function addressOf({ url, token, isInsecureAllowed }: Remote) {
  return { url, token, isInsecureAllowed };
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
