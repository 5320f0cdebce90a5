import { chmodSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { join } from 'node:path';
import { Journal } from './journal.ts';
import { oomKillCounter } from './oom-counter.ts';
import { RunnerLink } from './runner-link.ts';
import { WorkerSession } from './worker-session.ts';

/** Connections of one owner: control, bulk, and those whose end nobody noticed yet. The oldest give way. */
const maxSessions = 4;
/** Connections that have yet to say HELLO; only the worker reaches the socket, so few are enough. */
const maxGreeting = 16;

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
  /** Connections that have not said HELLO yet. */
  readonly #greeting = new Set<WorkerSession>();
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
    const spoolDirectory = join(options.spoolDirectory, options.bootId);
    this.#journal = new Journal(this.#runner, spoolDirectory, oomKillCounter(options.oomCounterFile));
    this.#server = createServer((socket) => {
      if (this.#greeting.size >= maxGreeting) socket.destroy();
      else this.#greeting.add(this.#session(socket));
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

  /** Whether a runner is connected. */
  get hasRunner(): boolean {
    return this.#runner.hello !== null;
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

  #session(socket: Socket): WorkerSession {
    return new WorkerSession(socket, {
      sandbox: this.#options.sandbox,
      bootId: this.#options.bootId,
      highestEpoch: () => this.#epoch,
      journal: this.#journal,
      runner: this.#runner,
      onHello: (session, hello) => this.#join(session, hello.epoch),
      onClosed: (session) => {
        this.#greeting.delete(session);
        this.#sessions = this.#sessions.filter((one) => one !== session);
      },
      onShutdown: this.#options.onShutdown,
    });
  }

  /** The last owner wins, not the last caller: a higher epoch ends the sessions of the lower. */
  #join(session: WorkerSession, epoch: number): void {
    if (epoch < this.#epoch) throw new Error(`epoch ${epoch} is over, ${this.#epoch} owns this sandbox`);
    this.#epoch = epoch;
    this.#greeting.delete(session);
    const older = this.#sessions.filter((one) => one.epoch < epoch);
    const same = this.#sessions.filter((one) => one.epoch === epoch);
    const crowd = same.splice(0, Math.max(0, same.length + 1 - maxSessions));
    this.#sessions = [...same, session];
    for (const one of older) one.close(`taken over by epoch ${epoch}`);
    for (const one of crowd) one.close('too many connections of one owner');
  }
}
