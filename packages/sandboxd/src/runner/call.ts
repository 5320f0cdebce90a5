import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { encodeRecordHeader } from '@berth/protocol';
import type { ExecSpec, MuxStream, RunnerExit } from '@berth/protocol';
import { killTree, signalTree } from './process-tree.ts';
import type { TreeQuery } from './process-tree.ts';

/**
 * How long output is read after the command's first process ended. Longer means that a background process keeps the
 * pipe open; it lives on, and what it prints later is dropped.
 */
const drainMs = 250;
/** What a command gets between SIGTERM and SIGKILL when its time is over. */
const graceMs = 500;

/** A running command: its output as records on a stream, its end as the last one. */
export class RunningCall {
  readonly #child: ChildProcess;
  readonly #stream: MuxStream;
  readonly #mark: string;
  #timedOut = false;
  #exited = false;
  #paused = false;

  constructor(child: ChildProcess, stream: MuxStream, mark: string) {
    this.#child = child;
    this.#stream = stream;
    this.#mark = mark;
  }

  /** Resolves when the command has ended and its end was told. */
  async run(spec: ExecSpec): Promise<void> {
    const child = this.#child;
    this.#feedStdin();
    const outputs = [this.#carry(child.stdout!, 'stdout'), this.#carry(child.stderr!, 'stderr')];
    const resume = (): void => {
      this.#paused = false;
      for (const output of [child.stdout!, child.stderr!]) output.resume();
    };
    this.#stream.on('drain', resume);
    // sandboxd gave the call up, or is gone: nobody would see what it does.
    this.#stream.once('close', () => {
      resume();
      if (!this.#exited) void this.kill();
    });
    const timer = setTimeout(() => void this.#expire(), spec.timeoutMs);
    const [exitCode, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
      child.once('exit', (code, by) => resolve([code, by]));
    });
    this.#exited = true;
    clearTimeout(timer);
    await Promise.race([Promise.all(outputs), this.#drainTime()]);
    this.#stream.off('drain', resume);
    for (const output of [child.stdout!, child.stderr!]) {
      output.removeAllListeners('data');
      output.resume();
      unref(output);
    }
    this.#finish({ exitCode, signal, timedOut: this.#timedOut });
  }

  /** Sends a signal to the whole tree; SIGKILL sweeps until nothing is left. */
  async signal(name: NodeJS.Signals): Promise<void> {
    if (name === 'SIGKILL') await this.kill();
    else signalTree(this.#tree, name);
  }

  async kill(): Promise<void> {
    await killTree(this.#tree);
  }

  /** The process whose terminal a resize is meant for. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  get #tree(): TreeQuery {
    const leader = this.#child.pid;
    return this.#exited || leader === undefined ? { mark: this.#mark } : { mark: this.#mark, leader };
  }

  async #expire(): Promise<void> {
    this.#timedOut = true;
    signalTree(this.#tree, 'SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, graceMs));
    await killTree(this.#tree);
  }

  #feedStdin(): void {
    const stdin = this.#child.stdin;
    if (stdin === null) {
      this.#stream.resume();
      return;
    }
    // A command that closes its standard input early is no failure.
    stdin.on('error', () => this.#stream.resume());
    this.#stream.pipe(stdin);
  }

  #carry(from: Readable, kind: 'stdout' | 'stderr'): Promise<void> {
    from.on('error', () => {});
    from.on('data', (data: Buffer) => {
      if (this.#stream.destroyed) return;
      const free = this.#stream.write(Buffer.concat([encodeRecordHeader(kind, data.length), data]));
      if (free || this.#paused) return;
      this.#paused = true;
      this.#child.stdout!.pause();
      this.#child.stderr!.pause();
    });
    return new Promise((resolve) => from.once('close', resolve));
  }

  /** Passes when output was readable, not held back by its reader, for `drainMs` in all. */
  async #drainTime(): Promise<void> {
    const stepMs = 10;
    for (let leftMs = drainMs; leftMs > 0 && !this.#stream.destroyed;) {
      await new Promise((resolve) => setTimeout(resolve, stepMs));
      if (!this.#paused) leftMs -= stepMs;
    }
  }

  #finish(exit: RunnerExit): void {
    const payload = Buffer.from(JSON.stringify(exit));
    this.#stream.write(Buffer.concat([encodeRecordHeader('exit', payload.length), payload]));
    this.#stream.end();
  }
}

function unref(stream: Readable): void {
  if ('unref' in stream && typeof stream.unref === 'function') stream.unref();
}
