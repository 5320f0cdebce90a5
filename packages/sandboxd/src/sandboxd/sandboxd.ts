import { chmodSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { Journal } from './journal.ts';
import { oomKillCounter } from './oom-counter.ts';
import { RunnerLink } from './runner-link.ts';
import { Spool } from './spool.ts';
import { WorkerSession } from './worker-session.ts';

/** Connections one owner may hold: one for control, one for bulk, and those it has not noticed the end of. */
const maxSessions = 8;

export interface SandboxdOptions {
  readonly sandbox: string;
  readonly bootId: string;
  readonly workerSocket: string;
  readonly runnerSocket: string;
  readonly spoolDirectory: string;
  readonly oomCounterFile: string | null;
  readonly onShutdown: () => void;
}

/** Keeps the channel, the call journal and the egress door of one sandbox. */
export class Sandboxd {
  readonly #options: SandboxdOptions;
  readonly #runner: RunnerLink;
  readonly #journal: Journal;
  readonly #server: Server;
  #sessions: WorkerSession[] = [];
  #connecting = 0;
  #epoch = 0;

  constructor(options: SandboxdOptions) {
    this.#options = options;
    this.#runner = new RunnerLink({
      socketPath: options.runnerSocket,
      sandbox: options.sandbox,
      bootId: options.bootId,
      onEgress: (stream) => {
        const session = this.#sessions.at(-1);
        if (session === undefined) stream.reset('unavailable');
        else session.egress(stream);
      },
      onNotice: (notice) => {
        for (const session of this.#sessions) session.notify(notice);
      },
    });
    const spool = new Spool(join(options.spoolDirectory, options.bootId));
    this.#journal = new Journal(this.#runner, spool, oomKillCounter(options.oomCounterFile));
    this.#server = createServer((socket) => {
      if (this.#sessions.length + this.#connecting >= maxSessions) {
        socket.destroy();
        return;
      }
      this.#connecting += 1;
      this.#session(socket);
    });
  }

  async listen(): Promise<void> {
    await this.#runner.listen();
    rmSync(this.#options.workerSocket, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#options.workerSocket, resolve);
    });
    chmodSync(this.#options.workerSocket, 0o600);
  }

  /** Whether a worker is connected. */
  get hasWorker(): boolean {
    return this.#sessions.length > 0;
  }

  /** The number of the last runner that was seen. */
  get generation(): number {
    return this.#runner.generation;
  }

  /** Ends all connections; the runner then ends all its work. */
  close(reason = 'sandboxd ends'): void {
    this.#server.close();
    for (const session of this.#sessions) session.close(reason);
    this.#runner.close();
    rmSync(join(this.#options.spoolDirectory, this.#options.bootId), { recursive: true, force: true });
  }

  #session(socket: ConstructorParameters<typeof WorkerSession>[0]): void {
    let joined = false;
    new WorkerSession(socket, {
      sandbox: this.#options.sandbox,
      bootId: this.#options.bootId,
      highestEpoch: () => this.#epoch,
      journal: this.#journal,
      runner: this.#runner,
      onHello: (greeted, hello) => {
        if (hello.epoch < this.#epoch)
          throw new Error(`epoch ${hello.epoch} is over, ${this.#epoch} owns this sandbox`);
        this.#epoch = hello.epoch;
        joined = true;
        this.#connecting -= 1;
        const old = this.#sessions.filter((one) => one.epoch < hello.epoch);
        this.#sessions = [...this.#sessions.filter((one) => one.epoch === hello.epoch), greeted];
        for (const one of old) one.close(`taken over by epoch ${hello.epoch}`);
      },
      onClosed: (closed) => {
        if (!joined) this.#connecting -= 1;
        this.#sessions = this.#sessions.filter((one) => one !== closed);
      },
      onShutdown: this.#options.onShutdown,
    });
  }
}
