import type { Readable } from 'node:stream';
import { encodeRecordHeader, limits } from '@berth/protocol';
import type { ExecSpec, MuxStream, RunnerExit } from '@berth/protocol';
import type { StartedCommand } from './command.ts';
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
  readonly #command: StartedCommand;
  readonly #stream: MuxStream;
  readonly #mark: string;
  #timedOut = false;
  #exited = false;
  #paused = false;
  /** The sweep that ends what is left of the tree; the call's end is told after it. */
  #sweep: Promise<void> = Promise.resolve();

  readonly #memoryKills: () => number;
  readonly #killsBefore: number;

  constructor(command: StartedCommand, stream: MuxStream, mark: string, memoryKills: () => number) {
    this.#memoryKills = memoryKills;
    this.#killsBefore = memoryKills();
    this.#command = command;
    this.#stream = stream;
    this.#mark = mark;
  }

  /** Resolves when the command has ended and its end was told. */
  async run(spec: ExecSpec): Promise<void> {
    const { stdout, stderr } = this.#command;
    this.#feedStdin();
    const outputs = [this.#carry(stdout, 'stdout'), this.#carry(stderr, 'stderr')];
    const resume = (): void => {
      this.#paused = false;
      for (const output of [stdout, stderr]) output.resume();
    };
    this.#stream.on('drain', resume);
    // sandboxd gave the call up, or is gone: nobody would see what it does.
    this.#stream.once('close', () => {
      resume();
      if (!this.#exited) void this.kill();
    });
    const timer = setTimeout(() => {
      this.#sweep = this.#expire();
    }, spec.timeoutMs);
    const { exitCode, signal } = await this.#command.exited;
    this.#exited = true;
    clearTimeout(timer);
    await this.#sweep;
    await Promise.race([Promise.all(outputs), this.#drainTime()]);
    this.#stream.off('drain', resume);
    for (const output of [stdout, stderr]) {
      output.removeAllListeners('data');
      output.resume();
      unref(output);
    }
    const wasKilled = signal === 'SIGKILL' || exitCode === 137;
    const outOfMemory = wasKilled && this.#memoryKills() > this.#killsBefore;
    this.#finish({ exitCode, signal, timedOut: this.#timedOut, ...(outOfMemory ? { outOfMemory } : {}) });
  }

  /** Sends a signal to the whole tree; SIGKILL sweeps until nothing is left. */
  async signal(name: NodeJS.Signals): Promise<void> {
    if (name === 'SIGKILL') await this.kill();
    else signalTree(this.#tree, name);
  }

  async kill(): Promise<void> {
    this.#sweep = killTree(this.#tree);
    await this.#sweep;
  }

  /** The command's first process. */
  get pid(): number {
    return this.#command.pid;
  }

  get #tree(): TreeQuery {
    return this.#exited ? { mark: this.#mark } : { mark: this.#mark, leader: this.#command.pid };
  }

  async #expire(): Promise<void> {
    this.#timedOut = true;
    signalTree(this.#tree, 'SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, graceMs));
    await killTree(this.#tree);
  }

  #feedStdin(): void {
    const { stdin } = this.#command;
    const stream = this.#stream;
    if (stdin === null) {
      stream.resume();
      return;
    }
    // A command that closes its standard input early is no failure: the rest is dropped.
    stdin.on('error', () => stream.unpipe(stdin).resume());
    stream.pipe(stdin, { end: false });
    // Closing is the only way to end a named pipe, so it waits until everything before it was taken.
    stream.once('end', () => stdin.write(Buffer.alloc(0), () => stdin.destroy()));
    stream.once('close', () => {
      if (!stream.readableEnded) stdin.destroy();
    });
  }

  #carry(from: Readable, kind: 'stdout' | 'stderr'): Promise<void> {
    from.on('error', () => {});
    from.on('data', (data: Buffer) => {
      if (this.#stream.destroyed) return;
      let free = true;
      this.#stream.cork();
      for (let at = 0; at < data.length; at += limits.recordBytes) {
        const part = data.subarray(at, at + limits.recordBytes);
        this.#stream.write(encodeRecordHeader(kind, part.length));
        free = this.#stream.write(part);
      }
      this.#stream.uncork();
      if (free || this.#paused) return;
      this.#paused = true;
      this.#command.stdout.pause();
      this.#command.stderr.pause();
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
