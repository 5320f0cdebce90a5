import {
  chunksOf,
  emptyShape,
  parseJson,
  ProtocolError,
  RecordDecoder,
  replyShape,
  runnerExitShape,
  StreamResetError,
} from '@berth/protocol';
import type { CallExit, ExecSpec, MuxStream, OutputRecord, RunnerExit } from '@berth/protocol';
import { RefusedError } from '../refusal.ts';
import { OutputLog } from './output-log.ts';
import type { RunnerLink } from './runner-link.ts';
import type { Spool } from './spool.ts';

/** How much later than its time-out a call may end before sandboxd stops believing its runner. */
const overdueMs = 15_000;

export interface CallOptions {
  readonly id: string;
  readonly hash: string;
  readonly spec: ExecSpec;
  /** The spec as it came, passed on to the runner. */
  readonly request: Buffer;
  readonly stdin: Buffer;
  readonly runner: RunnerLink;
  readonly spool: Spool;
  /** Memory kills of the sandbox's cgroup so far; 0 where that cannot be read. */
  readonly oomKills: () => number;
}

/** One command: started once, its output kept until it is acknowledged, its end told as the last record. */
export class Call {
  readonly id: string;
  readonly hash: string;
  readonly log: OutputLog;
  readonly #options: CallOptions;
  readonly #stop = new AbortController();
  #stream: MuxStream | null = null;
  /** Resolves when the runner has the call, or never will. */
  readonly #opened: Promise<void>;
  #resolveOpened: () => void = () => {};
  #stdin: Promise<void> = Promise.resolve();
  #overdue: NodeJS.Timeout | null = null;
  #oomBefore = 0;

  constructor(options: CallOptions) {
    this.id = options.id;
    this.hash = options.hash;
    this.log = new OutputLog(options.spool, options.spec);
    this.#options = options;
    this.#opened = new Promise((resolve) => {
      this.#resolveOpened = resolve;
    });
    void this.#run();
  }

  get running(): boolean {
    return !this.log.finished;
  }

  /** Ends the wait for a runner; a call that already runs is signalled through the runner instead. */
  cancelWaiting(): boolean {
    if (this.#stream !== null || this.log.finished) return false;
    this.#stop.abort();
    return true;
  }

  /** Types into the command, in order with what was typed before; `end` closes its standard input. */
  async type(data: AsyncIterable<Buffer>, end: boolean): Promise<void> {
    const turn = this.#stdin.then(async () => {
      await this.#opened;
      const stream = this.#stream;
      if (stream === null || stream.destroyed || stream.writableEnded) {
        throw new RefusedError('refused', 'The standard input of this call is closed.');
      }
      for await (const chunk of data) {
        if (!stream.write(chunk)) await drained(stream);
      }
      if (end) stream.end();
    });
    this.#stdin = turn.catch(() => {});
    await turn;
  }

  /** Drops the call's output; it must not run any more. */
  drop(): void {
    this.log.drop();
  }

  async #run(): Promise<void> {
    const startedMs = performance.now();
    let exit: CallExit;
    try {
      const ended = await this.#execute();
      exit = {
        kind: 'exited',
        ...ended,
        outOfMemory:
          (ended.signal === 'SIGKILL' || ended.exitCode === 137) &&
          (ended.outOfMemory === true || this.#options.oomKills() > this.#oomBefore),
        truncated: this.log.truncated,
        durationMs: performance.now() - startedMs,
      };
    } catch (error) {
      exit = this.#failure(error, performance.now() - startedMs);
    }
    this.#resolveOpened();
    if (this.#overdue !== null) clearTimeout(this.#overdue);
    this.#stream?.destroy();
    this.log.finish(Buffer.from(JSON.stringify(exit)));
  }

  #failure(error: unknown, durationMs: number): CallExit {
    if (this.#stop.signal.aborted) {
      const truncated = this.log.truncated;
      return {
        kind: 'exited',
        exitCode: null,
        signal: 'SIGKILL',
        timedOut: false,
        outOfMemory: false,
        truncated,
        durationMs,
      };
    }
    if (error instanceof RefusedError) return { kind: 'failed', code: error.code, sentence: error.message };
    return { kind: 'lost', what: 'runner' };
  }

  async #execute(): Promise<RunnerExit> {
    const { id, spec, request, stdin, runner } = this.#options;
    const stream = await runner.open({ m: 'run', id, requestBytes: request.length }, this.#stop.signal);
    this.#stream = stream;
    // Not before it is up: a container that was started anew counts from nought.
    this.#oomBefore = this.#options.oomKills();
    this.#overdue = setTimeout(
      () => stream.destroy(new ProtocolError('overdue')),
      spec.timeoutMs + overdueMs,
    );
    this.#overdue.unref();
    stream.write(request);
    if (stdin.length > 0) stream.write(stdin);
    if (spec.stdin !== 'open' && spec.pty === undefined) stream.end();
    this.#resolveOpened();
    const reply = parseJson(await stream.response, replyShape(emptyShape), 'reply');
    if (!reply.ok) throw new RefusedError(reply.code, reply.sentence);
    return await this.#collect(stream);
  }

  async #collect(stream: MuxStream): Promise<RunnerExit> {
    const decoder = new RecordDecoder(0);
    for await (const chunk of chunksOf(stream)) {
      for (const record of decoder.push(chunk)) {
        if (record.kind === 'exit') return parseJson(record.data, runnerExitShape, 'exit');
        this.#append(record);
      }
      while (this.log.full && !stream.destroyed) await this.#room(stream);
    }
    throw new StreamResetError('unavailable', 'The runner ended the call without a word.');
  }

  async #room(stream: MuxStream): Promise<void> {
    const wake = (): void => this.log.wake();
    stream.once('close', wake);
    await this.log.change();
    stream.off('close', wake);
  }

  #append(record: OutputRecord): void {
    switch (record.kind) {
      case 'stdout':
      case 'stderr':
        this.log.append(record.kind, record.data);
        return;
      case 'exit':
      case 'truncated':
        throw new ProtocolError('a record that only sandboxd writes');
    }
  }
}

/** Resolves when the stream takes more, or is over. */
export function drained(stream: MuxStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) {
      resolve();
      return;
    }
    const done = (): void => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
  });
}
