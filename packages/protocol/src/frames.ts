import { ProtocolError } from './errors.ts';
import { limits } from './limits.ts';

/**
 * Frame types. A frame is `type u8 | stream u32 | n u32`, big endian. For HELLO, OPEN, REPLY, DATA and GOAWAY `n` is
 * the length of the payload that follows; for the others it is a value and nothing follows.
 */
export const frameTypes = {
  hello: 1,
  open: 2,
  reply: 3,
  data: 4,
  end: 5,
  reset: 6,
  window: 7,
  ping: 8,
  pong: 9,
  goaway: 10,
} as const;

export const headerBytes = 9;

export type Frame =
  | { readonly type: 'hello' | 'goaway'; readonly payload: Buffer }
  | { readonly type: 'open' | 'reply' | 'data'; readonly stream: number; readonly payload: Buffer }
  | { readonly type: 'end'; readonly stream: number }
  | { readonly type: 'reset'; readonly stream: number; readonly code: number }
  | { readonly type: 'window'; readonly stream: number; readonly credit: number }
  | { readonly type: 'ping' | 'pong'; readonly token: number };

/** Encodes a header; `n` is the payload's length or the frame's value. */
export function encodeHeader(type: keyof typeof frameTypes, stream: number, n: number): Buffer {
  const header = Buffer.allocUnsafe(headerBytes);
  header[0] = frameTypes[type];
  header.writeUInt32BE(stream, 1);
  header.writeUInt32BE(n, 5);
  return header;
}

/** Encodes a whole frame with a JSON payload. @throws ProtocolError when the JSON is larger than the limit */
export function encodeJsonFrame(
  type: 'hello' | 'open' | 'reply' | 'goaway',
  stream: number,
  value: unknown,
): Buffer {
  const payload = Buffer.from(JSON.stringify(value));
  if (payload.length > limits.jsonBytes)
    throw new ProtocolError(`${type} of ${payload.length} bytes is too large`);
  return Buffer.concat([encodeHeader(type, stream, payload.length), payload]);
}

type PayloadType = 'hello' | 'goaway' | 'open' | 'reply' | 'data';

function payloadTypeOf(type: number): PayloadType | null {
  switch (type) {
    case frameTypes.hello:
      return 'hello';
    case frameTypes.open:
      return 'open';
    case frameTypes.reply:
      return 'reply';
    case frameTypes.data:
      return 'data';
    case frameTypes.goaway:
      return 'goaway';
    default:
      return null;
  }
}

function checkPayload(type: PayloadType, stream: number, n: number): void {
  const most = type === 'data' ? limits.dataBytes : limits.jsonBytes;
  if (n === 0) throw new ProtocolError(`${type} without payload`);
  if (n > most) throw new ProtocolError(`${type} of ${n} bytes, at most ${most} are allowed`);
  const onChannel = type === 'hello' || type === 'goaway';
  if (onChannel !== (stream === 0)) throw new ProtocolError(`${type} on stream ${stream}`);
}

function valueFrame(type: number, stream: number, n: number): Frame {
  switch (type) {
    case frameTypes.end:
      if (stream === 0 || n !== 0) throw new ProtocolError('malformed END');
      return { type: 'end', stream };
    case frameTypes.reset:
      if (stream === 0) throw new ProtocolError('RESET without a stream');
      return { type: 'reset', stream, code: n };
    case frameTypes.window:
      if (stream === 0 || n === 0) throw new ProtocolError('malformed WINDOW');
      return { type: 'window', stream, credit: n };
    case frameTypes.ping:
    case frameTypes.pong:
      if (stream !== 0) throw new ProtocolError('PING on a stream');
      return { type: type === frameTypes.ping ? 'ping' : 'pong', token: n };
    default:
      throw new ProtocolError(`unknown frame type ${type}`);
  }
}

/**
 * Decodes frames from chunks of any size. It never holds more than one frame's payload (64 KiB) and a header, and it
 * copies payloads that would otherwise keep a much larger chunk alive.
 */
export class FrameDecoder {
  readonly #header = Buffer.allocUnsafe(headerBytes);
  #headerUsed = 0;
  #payload: Buffer | null = null;
  #payloadUsed = 0;
  #type: PayloadType = 'data';
  #stream = 0;
  readonly #reused: boolean;

  /** @param reused whether the memory of a pushed chunk is written again afterwards, so that payloads must be copied */
  constructor(reused = false) {
    this.#reused = reused;
  }

  /**
   * Calls `onFrame` for every frame that `chunk` completes, in order.
   * @returns whether a payload lies in the memory of `chunk`, which then belongs to whoever got it
   * @throws ProtocolError at the first malformed frame; the decoder must not be used afterwards
   */
  push(chunk: Buffer, onFrame: (frame: Frame) => void): boolean {
    let at = 0;
    let isLent = false;
    while (at < chunk.length) {
      if (this.#payload !== null) {
        at += this.#fill(chunk, at);
        if (this.#payloadUsed === this.#payload.length) onFrame(this.#finish(this.#payload));
        continue;
      }
      const copied = chunk.copy(this.#header, this.#headerUsed, at, at + headerBytes - this.#headerUsed);
      this.#headerUsed += copied;
      at += copied;
      if (this.#headerUsed < headerBytes) return isLent;
      this.#headerUsed = 0;
      const n = this.#header.readUInt32BE(5);
      const type = payloadTypeOf(this.#header[0]!);
      this.#stream = this.#header.readUInt32BE(1);
      if (type === null) {
        onFrame(valueFrame(this.#header[0]!, this.#stream, n));
        continue;
      }
      checkPayload(type, this.#stream, n);
      this.#type = type;
      if (!this.#reused && chunk.length - at >= n && n * 2 >= chunk.length) {
        const whole = chunk.subarray(at, at + n);
        at += n;
        isLent = true;
        onFrame(this.#finish(whole));
      } else {
        this.#payload = Buffer.allocUnsafeSlow(n);
        this.#payloadUsed = 0;
      }
    }
    return isLent;
  }

  #fill(chunk: Buffer, at: number): number {
    const copied = chunk.copy(this.#payload!, this.#payloadUsed, at);
    this.#payloadUsed += copied;
    return copied;
  }

  #finish(payload: Buffer): Frame {
    this.#payload = null;
    return this.#type === 'hello' || this.#type === 'goaway'
      ? { type: this.#type, payload }
      : { type: this.#type, stream: this.#stream, payload };
  }
}
