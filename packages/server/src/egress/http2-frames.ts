/** Frames of HTTP/2 (RFC 9113, 6) that matter to a proxy. */
export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
} as const;
export const frameFlag = { ack: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 32 } as const;
/** RFC 9113, 7. */
export const http2Error = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  calm: 11,
} as const;
/** RFC 9113, 6.5.2. */
export const setting = {
  tableSize: 1,
  push: 2,
  maxStreams: 3,
  initialWindow: 4,
  maxFrame: 5,
  maxHeaderList: 6,
} as const;

export const clientPreface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** Neither side is ever told of a longer one. */
export const maxFrameBytes = 16_384;
const headBytes = 9;

/** The connection cannot go on; `code` is told in GOAWAY. */
export class Http2Error extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
  /** Head and payload as they came. */
  readonly whole: Buffer;
}

/** Cuts bytes into frames. */
export class FrameReader {
  #left: Buffer = Buffer.alloc(0);

  /** The frames that are whole now. @throws Http2Error */
  *push(chunk: Buffer): Generator<Frame> {
    let bytes = this.#left.length === 0 ? chunk : Buffer.concat([this.#left, chunk]);
    while (bytes.length >= headBytes) {
      const length = bytes.readUIntBE(0, 3);
      if (length > maxFrameBytes) throw new Http2Error(http2Error.frameSize, 'a frame is too long');
      if (bytes.length < headBytes + length) break;
      const whole = bytes.subarray(0, headBytes + length);
      bytes = bytes.subarray(headBytes + length);
      this.#left = bytes;
      yield {
        type: whole[3]!,
        flags: whole[4]!,
        stream: whole.readUInt32BE(5) & 0x7fff_ffff,
        payload: whole.subarray(headBytes),
        whole,
      };
    }
    this.#left = bytes;
  }
}

export function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function numberFrame(type: number, stream: number, value: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(value);
  return frame(type, 0, stream, payload);
}

export function goaway(lastStream: number, code: number): Buffer {
  const payload = Buffer.alloc(8);
  payload.writeUInt32BE(lastStream, 0);
  payload.writeUInt32BE(code, 4);
  return frame(frameType.goaway, 0, 0, payload);
}

export function settingsFrame(settings: ReadonlyMap<number, number>): Buffer {
  const payload = Buffer.alloc(settings.size * 6);
  let at = 0;
  for (const [name, value] of settings) {
    payload.writeUInt16BE(name, at);
    payload.writeUInt32BE(value, at + 2);
    at += 6;
  }
  return frame(frameType.settings, 0, 0, payload);
}

export function readSettings(payload: Buffer): Map<number, number> {
  if (payload.length % 6 !== 0) throw new Http2Error(http2Error.frameSize, 'settings are malformed');
  const settings = new Map<number, number>();
  for (let at = 0; at < payload.length; at += 6)
    settings.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
  if ((settings.get(setting.initialWindow) ?? 0) > 0x7fff_ffff)
    throw new Http2Error(http2Error.flowControl, 'a window is too large');
  return settings;
}

/** Headers as frames: one, and as many continuations as they need. */
export function headerFrames(stream: number, block: Buffer, isEnd: boolean): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at === 0 || at < block.length; at += maxFrameBytes) {
    const last = at + maxFrameBytes >= block.length;
    const flags = (at === 0 && isEnd ? frameFlag.endStream : 0) | (last ? frameFlag.endHeaders : 0);
    const type = at === 0 ? frameType.headers : frameType.continuation;
    parts.push(frame(type, flags, stream, block.subarray(at, at + maxFrameBytes)));
  }
  return Buffer.concat(parts);
}

/** What a frame carries between its padding (and, of HEADERS, its priority). @throws Http2Error */
export function unpadded({ type, flags, payload }: Frame): Buffer {
  let bytes = payload;
  if ((flags & frameFlag.padded) !== 0) {
    const padding = bytes[0];
    if (padding === undefined || padding >= bytes.length)
      throw new Http2Error(http2Error.protocol, 'padding is malformed');
    bytes = bytes.subarray(1, bytes.length - padding);
  }
  if (type === frameType.headers && (flags & frameFlag.priority) !== 0) {
    if (bytes.length < 5) throw new Http2Error(http2Error.frameSize, 'a priority is malformed');
    bytes = bytes.subarray(5);
  }
  return bytes;
}
