import { chmodSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { networkOpenWords } from '@berth/protocol';
import type { SandboxNotice } from '@berth/protocol';
import type { NetworkGate } from '../gate-spec.ts';
import { RefusedError } from '../refusal.ts';
import { Journal } from './journal.ts';
import { NetworkGateWatch } from './network-gate.ts';
import type { GateState } from './network-gate.ts';
import { oomKillCounter } from './oom-counter.ts';
import { RunnerLink } from './runner-link.ts';
import { TlsListener } from './tls-listener.ts';
import type { TlsListenerOptions } from './tls-listener.ts';
import { WorkerSession } from './worker-session.ts';

/** Connections of one owner: control, bulk, and those whose end nobody noticed yet. The oldest give way. */
const maxSessions = 4;
/** Connections that have yet to say HELLO; only the worker reaches the socket, so few are enough. */
const maxGreeting = 16;

export interface SandboxdOptions {
  readonly sandbox: string;
  readonly bootId: string;
  /** Unix socket for the worker, or null: then it comes by `tls`. */
  readonly workerSocket: string | null;
  readonly tls?: Omit<TlsListenerOptions, 'onWorker'>;
  /** What must not be reachable; absent: nothing is tried. */
  readonly gate?: NetworkGate;
  /** Gets the number of the last generation of the runner. */
  readonly generationFile?: string;
  /** The owner's epoch at the start; lower ones are refused. */
  readonly epoch?: number;
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
  readonly #tls: TlsListener | null;
  readonly #gate: NetworkGateWatch | null;
  #sessions: WorkerSession[] = [];
  /** Connections that have not said HELLO yet. */
  readonly #greeting = new Set<WorkerSession>();
  #epoch: number;

  constructor(options: SandboxdOptions) {
    this.#options = options;
    this.#epoch = options.epoch ?? 0;
    this.#runner = new RunnerLink({
      socketPath: options.runnerSocket,
      sandbox: options.sandbox,
      bootId: options.bootId,
      onEgress: (stream) => {
        const session = this.#sessions.at(-1);
        if (session === undefined) stream.reset('unavailable');
        else session.egress(stream);
      },
      onNotice: (notice) => this.#notify(notice),
      ready: (signal) => this.#networkClosed(signal),
      ...(options.generationFile === undefined ? {} : { generationFile: options.generationFile }),
    });
    this.#gate =
      options.gate === undefined
        ? null
        : new NetworkGateWatch({ gate: options.gate, onState: (state) => this.#gateSaid(state) });
    const spoolDirectory = join(options.spoolDirectory, options.bootId);
    this.#journal = new Journal(this.#runner, spoolDirectory, oomKillCounter(options.oomCounterFile));
    this.#server = createServer((socket) => {
      if (this.#greeting.size >= maxGreeting) socket.destroy();
      else this.#greeting.add(this.#session(socket, null));
    });
    this.#tls =
      options.tls === undefined
        ? null
        : new TlsListener({ ...options.tls, onWorker: (socket, epoch) => this.#certified(socket, epoch) });
  }

  /** @returns the TCP port, or null where it listens on a unix socket only */
  async listen(): Promise<number | null> {
    await this.#runner.listen();
    const { workerSocket } = this.#options;
    if (workerSocket !== null) {
      rmSync(workerSocket, { force: true });
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject);
        this.#server.listen(workerSocket, resolve);
      });
      chmodSync(workerSocket, 0o600);
    }
    return (await this.#tls?.listen()) ?? null;
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
    this.#tls?.close();
    this.#gate?.stop();
    for (const session of this.#sessions) session.close(reason);
    this.#runner.close();
    rmSync(join(this.#options.spoolDirectory, this.#options.bootId), { recursive: true, force: true });
  }

  /** A worker with a certificate. One of the past is told so at once and takes no place of others. */
  #certified(socket: Duplex, epoch: number): void {
    const session = this.#session(socket, epoch);
    if (epoch < this.#epoch) session.close(overSentence(epoch, this.#epoch));
    else if (this.#greeting.size >= maxGreeting) session.close('too many connections');
    else this.#greeting.add(session);
  }

  #notify(notice: SandboxNotice): void {
    for (const session of this.#sessions) session.notify(notice);
  }

  async #networkClosed(signal?: AbortSignal): Promise<void> {
    await this.#gate?.settled(signal);
    const state = this.#gate?.state;
    if (state?.kind === 'open') throw new RefusedError('network-open', networkOpenWords + state.reached);
  }

  /** Open is for good: no runner any more, and every worker is told why. */
  #gateSaid(state: Exclude<GateState, { kind: 'trying' }>): void {
    if (state.kind === 'closed') {
      this.#notify({ t: 'network-closed', afterMs: state.afterMs });
      return;
    }
    this.#notify({ t: 'network-open', reached: state.reached });
    // The notice leaves before the channel does, and the channel before commands end as lost for another reason.
    setImmediate(() => {
      for (const session of this.#sessions) session.close(networkOpenWords + state.reached);
      this.#runner.close();
    });
  }

  #session(socket: Duplex, certifiedEpoch: number | null): WorkerSession {
    return new WorkerSession(socket, {
      certifiedEpoch,
      gate: () => this.#gate?.state ?? null,
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
    if (epoch < this.#epoch) throw new Error(overSentence(epoch, this.#epoch));
    const gate = this.#gate?.state;
    if (gate?.kind === 'open') throw new Error(networkOpenWords + gate.reached);
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

/** The worker's end knows a take-over by these words. */
function overSentence(epoch: number, owner: number): string {
  return `epoch ${epoch} is over, ${owner} owns this sandbox`;
}
