import type { Duplex } from 'node:stream';
import {
  assignmentShape,
  emptyReplyShape,
  helloShape,
  Mux,
  parseJson,
  protocolVersion,
  readReplyShape,
  statReplyShape,
  statsReplyShape,
  workerRequestShape,
} from '@berth/protocol';
import type {
  FileRequest,
  MuxStream,
  SandboxNotice,
  Shape,
  WorkerHello,
  WorkerRequest,
} from '@berth/protocol';
import { answer, asRefusal, parseRequest, readExactly, refuse } from '../refusal.ts';
import { oneWay, splice } from '../splice.ts';
import type { Journal } from './journal.ts';
import type { GateState } from './network-gate.ts';
import type { RunnerLink } from './runner-link.ts';

export interface SessionOptions {
  /** The epoch in the worker's certificate, which its HELLO must repeat; null on a unix socket. */
  readonly certifiedEpoch: number | null;
  readonly sandbox: string;
  readonly bootId: string;
  readonly highestEpoch: () => number;
  /** What the network gate says; null where there is none. */
  readonly gate: () => GateState | null;
  readonly journal: Journal;
  readonly runner: RunnerLink;
  /** Decides about the worker's HELLO; throwing refuses it. */
  readonly onHello: (session: WorkerSession, hello: WorkerHello) => void;
  readonly onClosed: (session: WorkerSession) => void;
  readonly onShutdown: () => void;
}

/** One connection of a worker. */
export class WorkerSession {
  /** The worker's epoch, once it said HELLO. */
  epoch = -1;
  readonly #options: SessionOptions;
  readonly #mux: Mux;
  readonly #watchers = new Set<MuxStream>();

  constructor(connection: Duplex, options: SessionOptions) {
    this.#options = options;
    this.#mux = new Mux(connection, {
      side: 'even',
      hello: {
        role: 'sandboxd',
        protocol: protocolVersion,
        sandbox: options.sandbox,
        bootId: options.bootId,
        epoch: options.highestEpoch(),
        generation: options.runner.generation,
        architecture: process.arch,
      },
      onHello: (payload) => this.#hello(payload),
      onOpen: (stream, payload) => {
        this.#serve(stream, payload).catch((error: unknown) => refuse(stream, error));
      },
    });
    void this.#mux.closed.then(() => options.onClosed(this));
  }

  close(reason: string): void {
    this.#mux.close(reason);
  }

  /** Hands a connection from inside to the worker. */
  egress(inside: MuxStream): void {
    try {
      splice(inside, this.#mux.open({ m: 'egress' }));
    } catch {
      inside.reset('unavailable');
    }
  }

  notify(notice: SandboxNotice): void {
    for (const watcher of this.#watchers) watcher.write(`${JSON.stringify(notice)}\n`);
  }

  #hello(payload: Buffer): void {
    const hello = parseJson(payload, helloShape, 'hello');
    if (hello.role !== 'worker') throw new Error('not a worker');
    if (hello.sandbox !== this.#options.sandbox) throw new Error('another sandbox is meant');
    const { certifiedEpoch } = this.#options;
    if (certifiedEpoch !== null && hello.epoch !== certifiedEpoch)
      throw new Error('the epoch is not that of the certificate');
    this.epoch = hello.epoch;
    this.#options.onHello(this, hello);
  }

  async #serve(stream: MuxStream, payload: Buffer): Promise<void> {
    const message: WorkerRequest = parseRequest(payload, workerRequestShape);
    const { journal } = this.#options;
    switch (message.m) {
      case 'exec':
        await journal.exec(message, stream);
        return;
      case 'attach':
        await journal.attach(message.id, message.offset, stream);
        return;
      case 'ack':
        await journal.acknowledge(message.id, message.offset);
        answer(stream);
        return;
      case 'stdin':
        await journal.type(message.id, stream as AsyncIterable<Buffer>, message.end);
        answer(stream);
        return;
      case 'calls':
        stream.reply({ ok: true, value: {} });
        stream.resume();
        stream.end(
          journal
            .list()
            .map((call) => `${JSON.stringify(call)}\n`)
            .join(''),
        );
        return;
      case 'forget':
        journal.forget(message.id);
        answer(stream);
        return;
      case 'events':
        this.#watch(stream);
        return;
      case 'assign':
        journal.assign(parseRequest(await readExactly(stream, message.requestBytes), assignmentShape));
        answer(stream);
        return;
      case 'shutdown':
        answer(stream);
        this.#options.onShutdown();
        return;
      case 'signal':
        if (await journal.cancelWaiting(message.id)) answer(stream);
        else await this.#forward(message, stream, emptyReplyShape);
        return;
      case 'resize':
      case 'write':
      case 'list':
      case 'remove':
      case 'connect':
        await this.#forward(message, stream, emptyReplyShape);
        return;
      case 'read':
        await this.#forward(message, stream, readReplyShape);
        return;
      case 'stat':
        await this.#forward(message, stream, statReplyShape);
        return;
      case 'stats':
        await this.#forward(message, stream, statsReplyShape);
        return;
    }
  }

  #watch(stream: MuxStream): void {
    stream.reply({ ok: true, value: {} });
    stream.resume();
    this.#watchers.add(stream);
    stream.once('close', () => this.#watchers.delete(stream));
    const hello = this.#options.runner.hello;
    const say = (notice: SandboxNotice): void => void stream.write(`${JSON.stringify(notice)}\n`);
    const gate = this.#options.gate();
    if (gate?.kind === 'closed') say({ t: 'network-closed', afterMs: gate.afterMs });
    if (hello !== null) say({ t: 'runner-up', generation: hello.generation });
  }

  /** Lets the runner answer; only its checked reply and its bytes are passed on. */
  async #forward(
    message: FileRequest | Extract<WorkerRequest, { m: 'signal' | 'resize' }>,
    stream: MuxStream,
    shape: Shape<unknown>,
  ): Promise<void> {
    if (message.m !== 'stats') this.#options.journal.markUsed();
    const inner = await this.#options.runner.open(message);
    stream.once('close', () => {
      if (!inner.readableEnded) inner.destroy();
    });
    oneWay(stream, inner);
    try {
      stream.reply(parseJson(await inner.response, shape, 'reply'));
      oneWay(inner, stream);
    } catch (error) {
      inner.destroy();
      throw asRefusal(error);
    }
  }
}
