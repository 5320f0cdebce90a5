import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ProtocolError } from './errors.ts';
import { encodeHeader, FrameDecoder } from './frames.ts';
import type { Frame } from './frames.ts';
import { limits } from './limits.ts';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const stream = fc.integer({ min: 1, max: 0xffff_ffff });
const bytes = (max: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: 1, maxLength: max }).map((array) => Buffer.from(array));

const frames: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ type: fc.constantFrom('hello' as const, 'goaway' as const), payload: bytes(300) }),
  fc.record({ type: fc.constantFrom('open' as const, 'reply' as const), stream, payload: bytes(300) }),
  fc.record({ type: fc.constant('data' as const), stream, payload: bytes(3000) }),
  fc.record({ type: fc.constant('end' as const), stream }),
  fc.record({ type: fc.constant('reset' as const), stream, code: u32 }),
  fc.record({
    type: fc.constant('window' as const),
    stream,
    credit: fc.integer({ min: 1, max: 0xffff_ffff }),
  }),
  fc.record({ type: fc.constantFrom('ping' as const, 'pong' as const), token: u32 }),
);

function encode(frame: Frame): Buffer {
  const stream = 'stream' in frame ? frame.stream : 0;
  if ('payload' in frame) {
    return Buffer.concat([encodeHeader(frame.type, stream, frame.payload.length), frame.payload]);
  }
  const value =
    'code' in frame ? frame.code : 'credit' in frame ? frame.credit : 'token' in frame ? frame.token : 0;
  return encodeHeader(frame.type, stream, value);
}

/** The same bytes in pieces of the given sizes, taken in turn. */
function* pieces(whole: Buffer, sizes: readonly number[]): Generator<Buffer> {
  let at = 0;
  for (let turn = 0; at < whole.length; turn += 1) {
    const size = sizes[turn % sizes.length]!;
    yield Buffer.from(whole.subarray(at, at + size));
    at += size;
  }
}

test('frames decode the same however their bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(frames, { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 10 }),
      (sent, sizes) => {
        const decoder = new FrameDecoder();
        const got: Frame[] = [];
        for (const piece of pieces(Buffer.concat(sent.map(encode)), sizes)) {
          decoder.push(piece, (frame) => got.push(frame));
        }
        expect(got).toEqual(sent);
      },
    ),
  );
});

test('hostile bytes are refused with a protocol error and nothing else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4000 }), fc.integer({ min: 1, max: 100 }), (noise, size) => {
      const decoder = new FrameDecoder();
      try {
        for (const piece of pieces(Buffer.from(noise), [size])) decoder.push(piece, () => {});
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
    { numRuns: 500 },
  );
});

test('a length over the limit is refused from the header alone, before memory is taken', () => {
  for (const [type, most] of [
    ['data', limits.dataBytes],
    ['open', limits.jsonBytes],
    ['hello', limits.jsonBytes],
  ] as const) {
    const decoder = new FrameDecoder();
    const header = encodeHeader(type, type === 'hello' ? 0 : 1, most + 1);
    expect(() => decoder.push(header, () => {})).toThrow(ProtocolError);
  }
});

test('a small payload does not keep the large chunk it came in alive', () => {
  const decoder = new FrameDecoder();
  const small = encode({ type: 'data', stream: 1, payload: Buffer.from('abc') });
  const chunk = Buffer.concat([small, encode({ type: 'data', stream: 1, payload: Buffer.alloc(60_000) })]);
  const sizes: number[] = [];
  decoder.push(chunk, (frame) => {
    if (frame.type === 'data') sizes.push(frame.payload.buffer.byteLength);
  });
  expect(sizes[0]).toBeLessThan(chunk.length);
});
