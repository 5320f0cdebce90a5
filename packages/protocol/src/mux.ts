import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ChannelClosedError, ProtocolError, resetCodes, StreamResetError } from './errors.ts';
import type { ResetCode } from './errors.ts';
import { encodeHeader, encodeJsonFrame, FrameDecoder } from './frames.ts';
import type { Frame } from './frames.ts';
import { limits } from './limits.ts';
import { MuxStream } from './mux-stream.ts';
import type { StreamHost } from './mux-stream.ts';
import { release } from './release.ts';
import { processTime } from './time.ts';
import type { ChannelTime } from './time.ts';

export interface MuxOptions {
  /** The worker (and sandboxd towards its runner) opens odd streams, its peer even ones, whoever dialled. */
  readonly side: 'odd' | 'even';
  /** Sent at once as this side's HELLO. */
  readonly hello: unknown;
  /** Called with the peer's HELLO before any other frame; throwing closes the channel with the error's message. */
  readonly onHello: (payload: Buffer) => void;
  /** Called with each stream the peer opens; throwing resets that stream. */
  readonly onOpen: (stream: MuxStream, payload: Buffer) => void;
  /**
   * Where received bytes come from when the transport does not emit them as `data`: gets the receiver, which is done with a
   * chunk when it returns. Sockets that read into one buffer spare the collector 64 KiB for every read.
   */
  readonly feed?: (receive: (chunk: Buffer) => void) => void;
  /**
   * Asked when the peer missed two pings: true when somebody else knows that it lives, such as the status of its pod. A
   * starved peer looks dead. It is asked again after each further interval, up to `limits.silentMs` in all.
   */
  readonly isPeerAlive?: (signal: AbortSignal) => Promise<boolean>;
  readonly time?: ChannelTime;
  /** Defaults to the limit of the protocol; tests shorten it. */
  readonly pingEveryMs?: number;
}

const maxStreamId = 0xffff_fff0;

/**
 * Many streams over one byte stream. Symmetric, with credit per stream, one frame per stream in turn, and limits on
 * everything the peer can make this side hold. A peer that breaks the protocol loses the channel; `closed` says why.
 */
export class Mux {
  /** Resolves once when the channel has ended, with the reason. Never rejects. */
  readonly closed: Promise<ChannelClosedError>;

  readonly #transport: Duplex;
  readonly #options: MuxOptions;
  readonly #time: ChannelTime;
  readonly #decoder: FrameDecoder;
  readonly #streams = new Map<number, MuxStream>();
  readonly #stop = new AbortController();
  #resolveClosed: (error: ChannelClosedError) => void = () => {};
  #closedWith: ChannelClosedError | null = null;
  #gotHello = false;
  #nextId: number;
  #lastPeerId = 0;
  #peerOpen = 0;
  #opensInSecond = 0;
  #secondStartedMs = 0;
  #round: MuxStream[] = [];
  #control: Buffer[] = [];
  #controlBytes = 0;
  #blocked = false;
  #pumpPlanned = false;
  #lastHeardMs: number;

  constructor(transport: Duplex, options: MuxOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#time = options.time ?? processTime;
    this.#nextId = options.side === 'odd' ? 1 : 2;
    this.#lastHeardMs = this.#time.monotonicMs();
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#decoder = new FrameDecoder(options.feed !== undefined);
    const receive = (chunk: Buffer): void => this.#receive(chunk);
    if (options.feed === undefined) transport.on('data', receive);
    else options.feed(receive);
    transport.on('drain', () => {
      this.#blocked = false;
      this.#pump();
    });
    transport.on('error', (error: Error) =>
      this.#end(new ChannelClosedError(error.message, { cause: error })),
    );
    transport.on('end', () => this.#end(new ChannelClosedError('the peer hung up')));
    transport.on('close', () => this.#end(new ChannelClosedError('the connection closed')));
    this.#sendControl(encodeJsonFrame('hello', 0, options.hello), false);
    void this.#watchPeer();
  }

  get isClosed(): boolean {
    return this.#closedWith !== null;
  }

  /** Opens a stream. @throws ChannelClosedError, or StreamResetError `tooMany` when this side has too many open */
  open(request: unknown): MuxStream {
    if (this.#closedWith !== null) throw this.#closedWith;
    if (this.#streams.size - this.#peerOpen >= limits.ownStreams || this.#nextId > maxStreamId) {
      throw new StreamResetError('tooMany');
    }
    const frame = encodeJsonFrame('open', this.#nextId, request);
    const stream = new MuxStream(this.#nextId, true, this.#host);
    this.#nextId += 2;
    this.#streams.set(stream.id, stream);
    this.#sendControl(frame, false);
    return stream;
  }

  /** Says GOAWAY with the reason and ends the channel and all its streams. */
  close(reason: string): void {
    if (this.#closedWith !== null) return;
    const frame = encodeJsonFrame('goaway', 0, { reason: reason.slice(0, 1024) });
    if (!this.#blocked && this.#transport.writable) this.#transport.write(frame);
    this.#end(new ChannelClosedError(reason));
  }

  readonly #host: StreamHost = {
    streamReady: (stream) => {
      if (stream.queued || this.#closedWith !== null || !stream.hasFrame) return;
      stream.queued = true;
      this.#round.push(stream);
      this.#planPump();
    },
    sendReply: (stream, value) => this.#sendControl(encodeJsonFrame('reply', stream.id, value), false),
    sendEnd: (stream) => this.#sendControl(encodeHeader('end', stream.id, 0), false),
    sendWindow: (stream, credit) => this.#sendControl(encodeHeader('window', stream.id, credit), true),
    streamGone: (stream, code) => this.#forget(stream, code),
  };

  #forget(stream: MuxStream, code: ResetCode | null): void {
    if (!this.#streams.delete(stream.id)) return;
    if (!stream.own) this.#peerOpen -= 1;
    if (code !== null) this.#sendControl(encodeHeader('reset', stream.id, resetCodes[code]), true);
  }

  #receive(chunk: Buffer): void {
    if (this.#closedWith !== null) return;
    this.#lastHeardMs = this.#time.monotonicMs();
    try {
      const isLent = this.#decoder.push(chunk, (frame) => {
        if (this.#closedWith === null) this.#accept(frame);
      });
      // What another stream of this process wrote may be in use there still.
      if (!isLent && this.#options.feed === undefined && this.#transport instanceof Socket) release(chunk);
    } catch (error) {
      this.close(error instanceof Error ? error.message : 'protocol error');
    }
  }

  #accept(frame: Frame): void {
    if (frame.type === 'hello') {
      if (this.#gotHello) throw new ProtocolError('HELLO twice');
      this.#gotHello = true;
      this.#options.onHello(frame.payload);
      return;
    }
    if (frame.type === 'goaway') {
      this.#end(new ChannelClosedError(goawayReason(frame.payload)));
      return;
    }
    if (!this.#gotHello) throw new ProtocolError(`${frame.type} before HELLO`);
    switch (frame.type) {
      case 'open':
        this.#acceptOpen(frame.stream, frame.payload);
        return;
      case 'data':
        this.#known(frame.stream)?.acceptData(frame.payload);
        return;
      case 'end':
        this.#known(frame.stream)?.acceptEnd();
        return;
      case 'reply':
        this.#known(frame.stream)?.acceptReply(frame.payload);
        return;
      case 'window':
        this.#known(frame.stream)?.acceptWindow(frame.credit);
        return;
      case 'reset':
        this.#known(frame.stream)?.acceptReset(frame.code);
        return;
      case 'ping':
        this.#sendControl(encodeHeader('pong', 0, frame.token), true);
        return;
      case 'pong':
        return;
    }
  }

  /** A live stream, or undefined for one that existed and is over. @throws ProtocolError for one that never was */
  #known(id: number): MuxStream | undefined {
    const stream = this.#streams.get(id);
    if (stream !== undefined) return stream;
    const ownParity = this.#options.side === 'odd' ? 1 : 0;
    const existed = id % 2 === ownParity ? id < this.#nextId : id <= this.#lastPeerId;
    if (!existed) throw new ProtocolError('a frame for a stream that was never opened');
    return undefined;
  }

  #acceptOpen(id: number, payload: Buffer): void {
    const peerParity = this.#options.side === 'odd' ? 0 : 1;
    if (id % 2 !== peerParity || id <= this.#lastPeerId) throw new ProtocolError('OPEN with a wrong number');
    this.#lastPeerId = id;
    const nowMs = this.#time.monotonicMs();
    if (nowMs - this.#secondStartedMs >= 1000) {
      this.#secondStartedMs = nowMs;
      this.#opensInSecond = 0;
    }
    this.#opensInSecond += 1;
    if (this.#opensInSecond > limits.opensPerSecond) throw new ProtocolError('too many OPEN in a second');
    if (this.#peerOpen >= limits.peerStreams) {
      this.#sendControl(encodeHeader('reset', id, resetCodes.tooMany), true);
      return;
    }
    const stream = new MuxStream(id, false, this.#host);
    this.#streams.set(id, stream);
    this.#peerOpen += 1;
    try {
      this.#options.onOpen(stream, payload);
    } catch {
      stream.reset('refused');
    }
  }

  /** `elicited` frames are those a peer can make this side send; they are bounded. */
  #sendControl(frame: Buffer, elicited: boolean): void {
    if (this.#closedWith !== null) return;
    this.#control.push(frame);
    if (elicited) this.#controlBytes += frame.length;
    if (this.#controlBytes > limits.queuedControlBytes) {
      this.#end(new ChannelClosedError('the peer does not read its answers'));
      return;
    }
    this.#planPump();
  }

  #planPump(): void {
    if (this.#pumpPlanned || this.#blocked) return;
    this.#pumpPlanned = true;
    process.nextTick(() => {
      this.#pumpPlanned = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#closedWith !== null || this.#blocked) return;
    const transport = this.#transport;
    transport.cork();
    let free = true;
    while (free) {
      if (this.#control.length > 0) {
        const frames = this.#control;
        this.#control = [];
        this.#controlBytes = 0;
        free = transport.write(frames.length === 1 ? frames[0]! : Buffer.concat(frames));
        continue;
      }
      const stream = this.#round.shift();
      if (stream === undefined) break;
      stream.queued = false;
      const frame = stream.destroyed ? null : stream.takeFrame();
      if (frame === null) continue;
      free = transport.write(encodeHeader('data', stream.id, frame.bytes));
      const { parts, over } = frame;
      for (const [at, part] of parts.entries()) {
        const isLast = at === parts.length - 1;
        free =
          isLast && over.length > 0
            ? transport.write(part, (error) => {
                if (error === null || error === undefined) over.forEach(release);
              })
            : transport.write(part);
      }
      if (stream.hasFrame) this.#host.streamReady(stream);
    }
    this.#blocked = !free;
    transport.uncork();
  }

  async #watchPeer(): Promise<void> {
    const everyMs = this.#options.pingEveryMs ?? limits.pingEveryMs;
    try {
      await this.#time.sleep(Math.min(limits.helloMs, everyMs * 2), this.#stop.signal);
      if (!this.#gotHello) {
        this.close('the peer did not say HELLO in time');
        return;
      }
      for (let token = 1; ; token += 1) {
        this.#sendControl(encodeHeader('ping', 0, token % 0xffff_ffff), false);
        await this.#time.sleep(everyMs, this.#stop.signal);
        if (this.#silentMs() < 2 * everyMs || (await this.#isExcused(everyMs))) continue;
        this.#end(new ChannelClosedError('the peer does not answer'));
        return;
      }
    } catch {
      // The channel ended while waiting.
    }
  }

  #silentMs(): number {
    return this.#time.monotonicMs() - this.#lastHeardMs;
  }

  /** Whether a silent peer lives all the same, as far as anybody can tell within one interval. */
  async #isExcused(everyMs: number): Promise<boolean> {
    const { isPeerAlive } = this.#options;
    if (isPeerAlive === undefined || this.#silentMs() >= Math.max(limits.silentMs, 2 * everyMs)) return false;
    const answered = new AbortController();
    const signal = AbortSignal.any([answered.signal, this.#stop.signal]);
    const late = this.#time.sleep(everyMs, signal).then(() => false);
    const alive = await Promise.race([isPeerAlive(signal), late]).catch(() => false);
    answered.abort(new Error('no longer asked'));
    late.catch(() => {});
    // It may have answered itself meanwhile.
    return alive || this.#silentMs() < 2 * everyMs;
  }

  #end(error: ChannelClosedError): void {
    if (this.#closedWith !== null) return;
    this.#closedWith = error;
    this.#stop.abort(error);
    this.#control = [];
    this.#round = [];
    for (const stream of this.#streams.values()) stream.abandon(error);
    this.#streams.clear();
    this.#peerOpen = 0;
    if (this.#blocked || !this.#transport.writable) this.#transport.destroy();
    else {
      // GOAWAY may still be on its way out; a peer that does not take it within a second loses the connection anyway.
      const timer = setTimeout(() => this.#transport.destroy(), 1000);
      timer.unref();
      this.#transport.end(() => this.#transport.destroy());
    }
    this.#resolveClosed(error);
  }
}

function goawayReason(payload: Buffer): string {
  try {
    const value: unknown = JSON.parse(payload.toString('utf8'));
    if (
      typeof value === 'object' &&
      value !== null &&
      'reason' in value &&
      typeof value.reason === 'string'
    ) {
      return `the peer said: ${value.reason.slice(0, 1024)}`;
    }
  } catch {
    // Falls through: a GOAWAY without a readable reason.
  }
  return 'the peer said goodbye';
}
