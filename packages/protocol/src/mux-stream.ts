import { Duplex } from 'node:stream';
import { ByteQueue } from './byte-queue.ts';
import { ProtocolError, resetName, StreamResetError } from './errors.ts';
import type { ChannelClosedError, ResetCode } from './errors.ts';
import { limits } from './limits.ts';

/** What a stream asks of its mux. */
export interface StreamHost {
  /** The stream has bytes to send, or credit came for those it has. */
  streamReady(stream: MuxStream): void;
  sendReply(stream: MuxStream, value: unknown): void;
  sendEnd(stream: MuxStream): void;
  sendWindow(stream: MuxStream, credit: number): void;
  /** `code` is set when the peer must be told. */
  streamGone(stream: MuxStream, code: ResetCode | null): void;
}

/** Credit is given back once this much was consumed, so that WINDOW frames stay rare. */
const windowEveryBytes = limits.creditBytes / 4;

/**
 * One stream of a channel: a Duplex with half-close whose bytes obey credit in both directions. An error handler is
 * always attached, so a reset nobody listens for ends this stream and nothing else.
 */
export class MuxStream extends Duplex {
  readonly id: number;
  /** Whether this side opened it. */
  readonly own: boolean;
  /** The peer's REPLY; only for streams this side opened. Rejects when the stream ends without one. */
  readonly response: Promise<Buffer>;

  readonly #host: StreamHost;
  #resolveResponse: (payload: Buffer) => void = () => {};
  #rejectResponse: (error: Error) => void = () => {};
  #responded = false;
  #sendCredit: number = limits.creditBytes;
  #out: Buffer[] = [];
  #outAt = 0;
  /** The whole of the next chunk, when a part of it was sent already. */
  #outCut: Buffer | null = null;
  #outDone: ((error?: Error | null) => void) | null = null;
  /** Whether whoever writes to this stream lets go of each chunk: its memory is given back once it was sent. */
  releasesChunks = false;
  /** Whether the mux has this stream in its round. */
  queued = false;
  readonly #in = new ByteQueue();
  #receiveCredit: number = limits.creditBytes;
  #consumed = 0;
  #wanted = false;
  #peerEnded = false;
  #eofPushed = false;
  #endSent = false;
  #peerReset = false;

  constructor(id: number, own: boolean, host: StreamHost) {
    super({ allowHalfOpen: true, readableHighWaterMark: 64 * 1024, writableHighWaterMark: 64 * 1024 });
    this.id = id;
    this.own = own;
    this.#host = host;
    this.response = new Promise((resolve, reject) => {
      this.#resolveResponse = resolve;
      this.#rejectResponse = reject;
    });
    this.response.catch(() => {});
    this.on('error', () => {});
  }

  /** Answers the OPEN; once, by the side that did not open the stream. */
  reply(value: unknown): void {
    if (this.#responded || this.destroyed) return;
    this.#responded = true;
    this.#host.sendReply(this, value);
  }

  /** Ends the stream at once and tells the peer why. */
  reset(code: ResetCode): void {
    if (!this.destroyed) this.destroy(new StreamResetError(code));
  }

  // What the mux calls.

  /** Takes up to one frame's worth of waiting bytes within credit, uncopied; null when there are none. */
  takeFrame(): {
    readonly parts: readonly Buffer[];
    readonly bytes: number;
    /** Chunks whose last bytes these are, to be released when they were sent. */
    readonly over: readonly Buffer[];
  } | null {
    const most = Math.min(this.#sendCredit, limits.dataBytes);
    if (this.#out.length === 0 || most === 0) return null;
    const parts: Buffer[] = [];
    const over: Buffer[] = [];
    let bytes = 0;
    while (bytes < most && this.#outAt < this.#out.length) {
      const chunk = this.#out[this.#outAt]!;
      const part = chunk.length <= most - bytes ? chunk : chunk.subarray(0, most - bytes);
      parts.push(part);
      bytes += part.length;
      if (part === chunk) {
        this.#outAt += 1;
        if (this.releasesChunks) over.push(this.#outCut ?? chunk);
        this.#outCut = null;
      } else {
        this.#outCut ??= chunk;
        this.#out[this.#outAt] = chunk.subarray(part.length);
      }
    }
    this.#sendCredit -= bytes;
    if (this.#outAt === this.#out.length) {
      this.#out = [];
      this.#outAt = 0;
      const done = this.#outDone;
      this.#outDone = null;
      done?.();
    }
    return { parts, bytes, over };
  }

  get hasFrame(): boolean {
    return this.#out.length > 0 && this.#sendCredit > 0;
  }

  acceptData(payload: Buffer): void {
    if (this.#peerEnded) throw new ProtocolError('DATA after END');
    this.#receiveCredit -= payload.length;
    if (this.#receiveCredit < 0) throw new ProtocolError('DATA over credit');
    this.#in.push(payload);
    if (this.#wanted) this.#deliver();
  }

  acceptEnd(): void {
    if (this.#peerEnded) throw new ProtocolError('END twice');
    this.#peerEnded = true;
    if (this.#wanted) this.#deliver();
  }

  acceptWindow(credit: number): void {
    this.#sendCredit += credit;
    if (this.#sendCredit > limits.creditBytes) throw new ProtocolError('more credit than was used');
    if (this.#out.length > 0) this.#host.streamReady(this);
  }

  acceptReply(payload: Buffer): void {
    if (!this.own || this.#responded) throw new ProtocolError('unexpected REPLY');
    this.#responded = true;
    this.#resolveResponse(payload);
  }

  acceptReset(code: number): void {
    this.#peerReset = true;
    this.destroy(new StreamResetError(resetName(code)));
  }

  /** The channel ended. */
  abandon(error: ChannelClosedError): void {
    this.#peerReset = true;
    this.destroy(error);
  }

  // What Duplex calls.

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send([chunk], done);
  }

  override _writev(chunks: Array<{ chunk: Buffer }>, done: (error?: Error | null) => void): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#endSent = true;
    this.#host.sendEnd(this);
    done();
  }

  override _read(): void {
    this.#wanted = true;
    this.#deliver();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const finished = this.#endSent && this.#eofPushed;
    const code = error instanceof StreamResetError ? error.code : 'cancelled';
    this.#in.clear();
    this.#out = [];
    this.#outDone = null;
    if (this.own && !this.#responded) {
      this.#responded = true;
      this.#rejectResponse(error ?? new StreamResetError('cancelled'));
    }
    this.#host.streamGone(this, finished || this.#peerReset ? null : code);
    done(error);
  }

  #send(chunks: Buffer[], done: (error?: Error | null) => void): void {
    this.#out = chunks.filter((chunk) => chunk.length > 0);
    this.#outAt = 0;
    if (this.#out.length === 0) {
      done();
      return;
    }
    this.#outDone = done;
    this.#host.streamReady(this);
  }

  #deliver(): void {
    for (;;) {
      const chunk = this.#in.shift(limits.dataBytes);
      if (chunk === null) break;
      this.#consumed += chunk.length;
      if (this.#consumed >= windowEveryBytes && !this.#peerEnded) {
        this.#receiveCredit += this.#consumed;
        this.#host.sendWindow(this, this.#consumed);
        this.#consumed = 0;
      }
      if (!this.push(chunk)) {
        this.#wanted = false;
        if (this.#in.length > 0 || !this.#peerEnded) return;
        break;
      }
    }
    if (this.#peerEnded && this.#in.length === 0 && !this.#eofPushed) {
      this.#eofPushed = true;
      this.push(null);
    }
  }
}

/**
 * The chunks of a stream as they arrived. Node's own iterator joins what is buffered into new memory; this one hands
 * it on uncopied. Leaving the loop early leaves the stream open.
 * @throws the error that ended the stream
 */
export async function* chunksOf(stream: MuxStream): AsyncGenerator<Buffer> {
  const arrived: Buffer[] = [];
  let wake: () => void = () => {};
  const onData = (chunk: Buffer): void => {
    arrived.push(chunk);
    stream.pause();
    wake();
  };
  const onOver = (): void => wake();
  stream.on('data', onData).on('end', onOver).on('close', onOver);
  try {
    for (;;) {
      while (arrived.length > 0) yield arrived.shift()!;
      if (stream.readableEnded) return;
      if (stream.destroyed) throw stream.errored ?? new StreamResetError('cancelled');
      await new Promise<void>((resolve) => {
        wake = resolve;
        stream.resume();
      });
    }
  } finally {
    stream.pause();
    stream.off('data', onData).off('end', onOver).off('close', onOver);
  }
}
