import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import {
  callEntryShape,
  chunksOf,
  emptyShape,
  limits,
  listEntryShape,
  object,
  statsShape,
} from '@berth/protocol';
import type { ExecSpec, Mux, MuxStream, SandboxdHello, Shape, WireFileStat } from '@berth/protocol';
import { fileStatShape } from '@berth/protocol';
import { BerthError } from '../domain/errors/index.ts';
import type { ExecOptions, ExecRequest, ExecResult, FileStat } from '../domain/ports/sandbox.ts';
import { followOutput } from './output.ts';
import type { FollowedCall } from './output.ts';
import {
  ask,
  askLines,
  openStream,
  replyOf,
  resetOnAbort,
  resetWhenSilent,
  writeChunk,
  answerWithinMs,
} from './streams.ts';
import type { ChannelLink } from './streams.ts';
import { channelError } from './refusals.ts';

const anything = (value: unknown): unknown => value;
const statAnswer = object({
  stat: (value: unknown, at: string): WireFileStat | null =>
    value === null ? null : fileStatShape(value, at),
});
const statsAnswer = statsShape;

/** The worker's end of one channel: every message of the protocol as a typed call that fails with a registry code. */
export class Channel {
  /** What sandboxd said when the channel opened. */
  readonly hello: SandboxdHello;
  /** Resolves once when the channel has ended, with the reason. Never rejects. */
  readonly closed: Promise<{ readonly reason: string }>;
  readonly #mux: Mux;
  readonly #link: ChannelLink;

  constructor(link: ChannelLink, hello: SandboxdHello) {
    const { mux } = link;
    this.#link = link;
    this.#mux = mux;
    this.hello = hello;
    this.closed = mux.closed;
  }

  /** Ends the channel; the sandbox and its commands go on. */
  close(reason: string): void {
    this.#mux.close(reason);
  }

  /** Starts a call or joins it, and follows it to its end. @throws BerthError, or the signal's reason */
  async exec(request: ExecRequest, options: ExecOptions): Promise<ExecResult> {
    options.signal.throwIfAborted();
    const stdin = request.stdin instanceof Uint8Array ? request.stdin : new Uint8Array();
    const body = Buffer.from(JSON.stringify(execSpec(request)));
    if (body.length > limits.execRequestBytes || stdin.length > limits.execStdinBytes) {
      throw new BerthError('EXEC_TOO_LARGE');
    }
    const stream = openStream(this.#mux, {
      m: 'exec',
      id: request.id,
      hash: createHash('sha256').update(body).update(stdin).digest('hex'),
      offset: options.fromOffset ?? 0,
      requestBytes: body.length,
      stdinBytes: stdin.length,
    });
    stream.write(body);
    if (stdin.length > 0) stream.write(stdin);
    stream.end();
    const { id, timeoutMs } = request;
    return await followOutput(
      this.#link,
      { id, timeoutMs, giveUp: request.overflow === 'block' },
      stream,
      options,
    );
  }

  /**
   * Follows a call that is already there.
   * @param call its id, the time-out it was started with, and whether output that was taken may go
   * @throws BerthError `EXEC_UNKNOWN`, `EXEC_OUTPUT_GONE`
   */
  async attach(call: FollowedCall, options: ExecOptions): Promise<ExecResult> {
    options.signal.throwIfAborted();
    const stream = openStream(this.#mux, { m: 'attach', id: call.id, offset: options.fromOffset ?? 0 });
    stream.end();
    return await followOutput(this.#link, call, stream, options);
  }

  /** Ends the process tree of a call; unknown and finished calls are fine. */
  async signal(id: string, signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await ask(this.#link, { m: 'signal', id, signal }, emptyShape);
  }

  async resize(id: string, columns: number, rows: number): Promise<void> {
    await ask(this.#link, { m: 'resize', id, columns, rows }, emptyShape);
  }

  async writeStdin(id: string, data: Uint8Array | null): Promise<void> {
    const stream = openStream(this.#mux, { m: 'stdin', id, end: data === null });
    stream.resume();
    if (data !== null && data.length > 0) stream.write(data);
    stream.end();
    await replyOf(stream, emptyShape);
  }

  async calls(): Promise<ReadonlyArray<{ readonly id: string; readonly running: boolean }>> {
    return await askLines(this.#link, { m: 'calls' }, callEntryShape);
  }

  async forget(id: string): Promise<void> {
    await ask(this.#link, { m: 'forget', id }, emptyShape);
  }

  /** A regular file, chunk by chunk, with back-pressure into the sandbox. */
  async *read(
    path: string,
    options: { offset?: number; length?: number; signal?: AbortSignal } = {},
  ): AsyncGenerator<Uint8Array> {
    options.signal?.throwIfAborted();
    const length = options.length === undefined ? {} : { length: options.length };
    const stream = openStream(this.#mux, { m: 'read', path, offset: options.offset ?? 0, ...length });
    const release = resetOnAbort(stream, options.signal);
    stream.end();
    let got = 0;
    try {
      await this.#reply(stream, anything);
      for await (const chunk of chunksOf(stream)) {
        got += chunk.length;
        if (options.length !== undefined && got > options.length)
          throw new Error('more bytes than were asked for');
        yield chunk;
      }
    } catch (error) {
      options.signal?.throwIfAborted();
      throw channelError(error);
    } finally {
      release();
      stream.destroy();
    }
  }

  async write(
    path: string,
    data: Uint8Array | AsyncIterable<Uint8Array>,
    options: { mode?: number; signal?: AbortSignal } = {},
  ): Promise<void> {
    options.signal?.throwIfAborted();
    const mode = options.mode === undefined ? {} : { mode: options.mode };
    const stream = openStream(this.#mux, { m: 'write', path, ...mode });
    const release = resetOnAbort(stream, options.signal);
    stream.resume();
    try {
      // A refusal comes before the body was sent: stop then, and let the reply say why.
      let answered = false;
      stream.response.then(
        () => (answered = true),
        () => (answered = true),
      );
      for await (const chunk of data instanceof Uint8Array ? [data] : data) {
        if (answered || stream.destroyed) break;
        await writeChunk(stream, chunk);
      }
      stream.end();
      await this.#reply(stream, emptyShape);
    } catch (error) {
      stream.reset('cancelled');
      options.signal?.throwIfAborted();
      throw error;
    } finally {
      release();
    }
  }

  async stat(path: string): Promise<FileStat | null> {
    return (await ask(this.#link, { m: 'stat', path }, statAnswer)).stat;
  }

  async list(path: string): Promise<ReadonlyArray<{ readonly name: string; readonly stat: FileStat }>> {
    return await askLines(this.#link, { m: 'list', path }, listEntryShape);
  }

  async remove(path: string): Promise<void> {
    await ask(this.#link, { m: 'remove', path }, emptyShape);
  }

  async stats(): Promise<{ diskBytes: number; memoryBytes: number; processes: number }> {
    return await ask(this.#link, { m: 'stats' }, statsAnswer);
  }

  /** A connection to a loopback port inside. @throws BerthError when nothing listens there */
  async connect(port: number): Promise<Duplex> {
    const stream: MuxStream = openStream(this.#mux, { m: 'connect', port });
    await this.#reply(stream, emptyShape);
    return stream;
  }

  /** The reply, within the time a sandbox may take for one. */
  async #reply<T>(stream: MuxStream, value: Shape<T>): Promise<T> {
    const release = resetWhenSilent(stream, this.#link.clock, answerWithinMs);
    try {
      return await replyOf(stream, value);
    } finally {
      release();
    }
  }

  /**
   * Gives an untouched sandbox to its run: from now on every command has this environment beneath its own. Once.
   * @throws BerthError `EXEC_REFUSED` when it was used or given before
   */
  async assign(env: Readonly<Record<string, string>>): Promise<void> {
    const body = Buffer.from(JSON.stringify({ env }));
    if (body.length > limits.assignmentBytes) throw new BerthError('EXEC_TOO_LARGE');
    const stream = openStream(this.#mux, { m: 'assign', requestBytes: body.length });
    stream.resume();
    stream.end(body);
    await this.#reply(stream, emptyShape);
  }

  /** Ends sandboxd with everything in it. */
  async shutdown(): Promise<void> {
    await ask(this.#link, { m: 'shutdown' }, emptyShape);
  }
}

function execSpec(request: ExecRequest): ExecSpec {
  const command =
    'argv' in request.command ? { argv: [...request.command.argv] } : { script: request.command.script };
  return {
    ...command,
    cwd: request.cwd,
    env: { ...request.env },
    stdin: request.stdin === undefined ? 'none' : request.stdin === 'open' ? 'open' : 'given',
    ...(request.pty === undefined ? {} : { pty: { ...request.pty } }),
    timeoutMs: request.timeoutMs,
    maxOutputBytes: request.maxOutputBytes,
    overflow: request.overflow,
  };
}
