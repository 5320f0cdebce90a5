import { explain } from './answers.ts';
import type { EchoFilter } from './echo-filter.ts';
import { hpackBlock } from './hpack.ts';
import {
  frame,
  frameFlag,
  frameType,
  headerFrames,
  Http2Error,
  http2Error,
  maxFrameBytes,
  numberFrame,
} from './http2-frames.ts';
import type { Passing, Refusal } from './inspection.ts';
import type { RawHeaders } from './request-check.ts';

/** One side of a connection: where frames are written, and what its decoder has to be told. */
export interface Side {
  write(bytes: Buffer): void;
  /** It shrank its header table: the next block begins by saying that none is used. */
  forgetsTable: boolean;
}

/** One exchange. Both sides know it by the same number. */
export interface Stream {
  readonly id: number;
  readonly passing: Passing;
  requestEnded: boolean;
  answerEnded: boolean;
  answered: boolean;
  /** What the request said it sends, in bytes, and what came. */
  readonly promised: number | null;
  got: number;
  filter: EchoFilter | null;
}

/** Bytes of the client's credit that are kept for refusals. */
const reserveBytes = 8 * 1024;

export function writeHeaders(side: Side, id: number, list: RawHeaders, isEnd: boolean): void {
  const block = hpackBlock(list, side.forgetsTable);
  side.forgetsTable = false;
  side.write(headerFrames(id, block, isEnd));
}

export function writeData(side: Side, id: number, bytes: Buffer, isEnd: boolean): void {
  for (let at = 0; at === 0 || at < bytes.length; at += maxFrameBytes) {
    const isLast = isEnd && at + maxFrameBytes >= bytes.length;
    side.write(
      frame(frameType.data, isLast ? frameFlag.endStream : 0, id, bytes.subarray(at, at + maxFrameBytes)),
    );
  }
}

/**
 * Answers in the worker's own name. The server that shares the client's credit knows nothing of these bytes, so they are
 * paid from a part of it that it was never told of; without any the reason is a header alone.
 */
export function createRefusals(inside: Side): {
  readonly refuse: (id: number, refusal: Refusal, requestEnded: boolean) => void;
  /** Takes the client's credit for the connection; returns what may be passed on. @throws Http2Error */
  readonly credit: (bytes: number) => number;
} {
  let reserve = 0;
  return {
    refuse(id, { status, reason, code }, requestEnded) {
      const text = Buffer.from(explain(status, reason));
      const hasBody = text.length <= reserve;
      writeHeaders(
        inside,
        id,
        [
          ':status',
          String(status),
          'content-type',
          'text/plain; charset=utf-8',
          'x-berth-egress',
          status === 502 ? 'failed' : 'refused',
          'x-berth-reason',
          reason.replaceAll(/[^\x20-\x7e]/g, '?'),
          ...(code === undefined ? [] : ['x-berth-code', code]),
        ],
        !hasBody,
      );
      if (hasBody) {
        reserve -= text.length;
        writeData(inside, id, text, true);
      }
      if (!requestEnded) inside.write(numberFrame(frameType.reset, id, http2Error.none));
    },
    credit(bytes) {
      if (bytes === 0) throw new Http2Error(http2Error.protocol, 'a credit is zero');
      const kept = Math.min(bytes, reserveBytes - reserve);
      reserve += kept;
      return bytes - kept;
    },
  };
}
