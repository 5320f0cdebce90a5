import type { TLSSocket } from 'node:tls';
import type { HpackDecoder } from './hpack.ts';
import {
  clientPreface,
  type Frame,
  frameFlag,
  FrameReader,
  frameType,
  Http2Error,
  http2Error,
  unpadded,
} from './http2-frames.ts';
import type { RawHeaders } from './request-check.ts';

/** Frames of one header block; a block of the longest headers needs three. */
const maxContinuations = 8;

/** What is done with the frames of one side. */
export interface FrameRules {
  readonly headers: (id: number, list: RawHeaders, isEnd: boolean) => Promise<void>;
  readonly data: (got: Frame) => void;
  readonly control: (got: Frame) => void;
  readonly decoder: HpackDecoder;
}

/** Reads one side until it ends. @throws Http2Error, HpackError */
export async function readFrames(
  from: TLSSocket,
  rules: FrameRules,
  onPreface: (() => void) | null,
  drained: () => Promise<void>,
): Promise<void> {
  const reader = new FrameReader();
  let preface = onPreface === null ? null : Buffer.alloc(0);
  let isFirst = true;
  let block: { readonly id: number; readonly isEnd: boolean; readonly parts: Buffer[] } | null = null;
  for await (const chunk of from as AsyncIterable<Buffer>) {
    let bytes = chunk;
    if (preface !== null) {
      preface = Buffer.concat([preface, chunk]);
      if (!clientPreface.subarray(0, preface.length).equals(preface.subarray(0, clientPreface.length)))
        throw new Http2Error(http2Error.protocol, 'it does not begin with the preface');
      if (preface.length < clientPreface.length) continue;
      bytes = preface.subarray(clientPreface.length);
      preface = null;
      onPreface?.();
    }
    for (const got of reader.push(bytes)) {
      if (isFirst && got.type !== frameType.settings)
        throw new Http2Error(http2Error.protocol, 'settings come first');
      isFirst = false;
      if (block !== null) {
        if (
          got.type !== frameType.continuation ||
          got.stream !== block.id ||
          block.parts.length > maxContinuations
        )
          throw new Http2Error(http2Error.protocol, 'a header block is interrupted');
        block.parts.push(got.payload);
      } else if (got.type === frameType.headers) {
        if (got.stream === 0) throw new Http2Error(http2Error.protocol, 'headers have no stream');
        block = { id: got.stream, isEnd: (got.flags & frameFlag.endStream) !== 0, parts: [unpadded(got)] };
      } else if (got.type === frameType.continuation) {
        throw new Http2Error(http2Error.protocol, 'a continuation continues nothing');
      } else if (got.type === frameType.data) {
        rules.data(got);
      } else rules.control(got);
      if (block !== null && (got.flags & frameFlag.endHeaders) !== 0) {
        const { id, isEnd, parts } = block;
        block = null;
        await rules.headers(id, rules.decoder.read(Buffer.concat(parts)), isEnd);
      }
    }
    await drained();
  }
}

/** Waits until a side took what was written to it: whoever reads faster than the other writes is slowed down. */
export async function drain(socket: TLSSocket): Promise<void> {
  if (!socket.writableNeedDrain || socket.destroyed) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
}
