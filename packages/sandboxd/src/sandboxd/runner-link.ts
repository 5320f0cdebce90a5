import { chmodSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { helloShape, insideRequestShape, Mux, parseJson, protocolVersion } from '@berth/protocol';
import type { MuxStream, RunnerHello, RunnerRequest, SandboxNotice } from '@berth/protocol';
import { RefusedError } from '../refusal.ts';

/** How long a request waits for a runner that is being restarted. */
const runnerWaitMs = 15_000;

export interface RunnerLinkOptions {
  readonly socketPath: string;
  readonly sandbox: string;
  readonly bootId: string;
  readonly onEgress: (stream: MuxStream) => void;
  readonly onNotice: (notice: SandboxNotice) => void;
  /** Nothing reaches the runner before this resolves; it throws a RefusedError when nothing ever will. */
  readonly ready?: (signal?: AbortSignal) => Promise<void>;
  /**
   * Gets the number of the last generation, for a supervisor that was itself started anew: a file that the runner's side
   * can read and not write.
   */
  readonly generationFile?: string;
}

/**
 * sandboxd's end of the connection to its runner. The runner is hostile: it gets the same limits as any peer, one
 * connection at a time, and nothing it says is passed on unchecked.
 */
export class RunnerLink {
  readonly #options: RunnerLinkOptions;
  readonly #server: Server;
  #mux: Mux | null = null;
  #hello: RunnerHello | null = null;
  #lastGeneration = 0;
  #waiting = new Set<() => void>();

  constructor(options: RunnerLinkOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** The generation of the runner that is, or was last, connected. */
  get generation(): number {
    return this.#lastGeneration;
  }

  get hello(): RunnerHello | null {
    return this.#hello;
  }

  async listen(): Promise<void> {
    rmSync(this.#options.socketPath, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#options.socketPath, resolve);
    });
    // The runner may have another uid; its directory says who can reach the socket.
    chmodSync(this.#options.socketPath, 0o666);
    this.#writeGeneration();
  }

  /** Opens a stream, waiting for a runner that is being restarted. @throws RefusedError `runner-unavailable` */
  async open(request: RunnerRequest, signal?: AbortSignal): Promise<MuxStream> {
    await this.#options.ready?.(signal);
    const deadline = performance.now() + runnerWaitMs;
    while (this.#mux === null || this.#hello === null) {
      const left = deadline - performance.now();
      if (left <= 0 || signal?.aborted === true)
        throw new RefusedError('runner-unavailable', 'No runner is connected.');
      await this.#change(left, signal);
    }
    return this.#mux.open(request);
  }

  close(): void {
    this.#server.close();
    this.#mux?.close('sandboxd ends');
  }

  #change(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#waiting.add(done);
      signal?.addEventListener('abort', done, { once: true });
    });
  }

  #accept(socket: Socket): void {
    // Commands share the runner's uid: whoever holds the connection is the runner, the others are turned away.
    if (this.#mux !== null) {
      socket.destroy();
      return;
    }
    const mux = new Mux(socket, {
      side: 'odd',
      hello: {
        role: 'sandboxd',
        protocol: protocolVersion,
        sandbox: this.#options.sandbox,
        bootId: this.#options.bootId,
        epoch: 0,
        generation: this.#lastGeneration,
      },
      onHello: (payload) => this.#up(payload),
      onOpen: (stream, payload) => {
        parseJson(payload, insideRequestShape, 'request');
        this.#options.onEgress(stream);
      },
    });
    this.#mux = mux;
    void mux.closed.then(() => this.#down());
  }

  #up(payload: Buffer): void {
    const hello = parseJson(payload, helloShape, 'hello');
    if (hello.role !== 'runner') throw new Error('not a runner');
    if (hello.generation <= this.#lastGeneration) throw new Error('an old generation of the runner');
    this.#lastGeneration = hello.generation;
    this.#writeGeneration();
    this.#hello = hello;
    for (const resolve of this.#waiting) resolve();
    this.#options.onNotice({ t: 'runner-up', generation: hello.generation });
  }

  #writeGeneration(): void {
    const { generationFile } = this.#options;
    if (generationFile === undefined) return;
    // Whole or not at all: it is read at any time.
    writeFileSync(`${generationFile}.new`, `${this.#lastGeneration}\n`, { mode: 0o644 });
    renameSync(`${generationFile}.new`, generationFile);
  }

  #down(): void {
    const wasUp = this.#hello !== null;
    this.#mux = null;
    this.#hello = null;
    if (wasUp) this.#options.onNotice({ t: 'runner-lost', generation: this.#lastGeneration });
  }
}
