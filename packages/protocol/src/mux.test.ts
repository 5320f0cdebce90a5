import { duplexPair } from 'node:stream';
import type { Duplex } from 'node:stream';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { StreamResetError } from './errors.ts';
import { encodeHeader, encodeJsonFrame, FrameDecoder } from './frames.ts';
import { limits } from './limits.ts';
import { Mux } from './mux.ts';
import type { MuxOptions } from './mux.ts';
import { chunksOf } from './mux-stream.ts';
import type { MuxStream } from './mux-stream.ts';
import type { ChannelTime } from './time.ts';

const side = (which: 'odd' | 'even', rest: Partial<MuxOptions> = {}): MuxOptions => ({
  side: which,
  hello: { hello: which },
  onHello: () => {},
  onOpen: () => {},
  ...rest,
});

/** Two ends that talk to each other; streams opened by `a` arrive in `opened`. */
function pair(onOpen: (stream: MuxStream, payload: Buffer) => void = () => {}): { a: Mux; b: Mux } {
  const [left, right] = duplexPair();
  return { a: new Mux(left, side('odd')), b: new Mux(right, side('even', { onOpen })) };
}

/** One end, and the raw bytes of a peer that obeys nothing; it has said HELLO. */
function hostile(rest: Partial<MuxOptions> = {}): { mux: Mux; peer: Duplex } {
  const [left, right] = duplexPair();
  const mux = new Mux(left, side('odd', rest));
  right.on('error', () => {});
  right.write(encodeJsonFrame('hello', 0, {}));
  return { mux, peer: right };
}

async function readAll(stream: MuxStream): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of chunksOf(stream)) parts.push(chunk);
  return Buffer.concat(parts);
}

const data = (stream: number, bytes: number): Buffer =>
  Buffer.concat([encodeHeader('data', stream, bytes), Buffer.alloc(bytes)]);

test('bytes of many streams arrive whole and in order, both ways, whatever their sizes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.integer({ min: 1, max: 200_000 }), { maxLength: 6 }), {
        minLength: 1,
        maxLength: 5,
      }),
      async (streams) => {
        const { a, b } = pair((stream) => stream.pipe(stream));
        const echoed = await Promise.all(
          streams.map(async (sizes, index) => {
            const stream = a.open({ index });
            const sent = Buffer.concat(
              sizes.map((size, place) => Buffer.alloc(size, index * 16 + place + 1)),
            );
            for (const size of sizes) stream.write(sent.subarray(0, size));
            stream.end();
            const want = Buffer.concat(sizes.map((size) => sent.subarray(0, size)));
            return (await readAll(stream)).equals(want);
          }),
        );
        expect(echoed.every(Boolean)).toBe(true);
        a.close('done');
        await b.closed;
      },
    ),
    { numRuns: 12 },
  );
});

test('a stream nobody reads stops its writer at the credit, and the others go on', async () => {
  const { a } = pair((stream, payload) => {
    if (payload.toString().includes('read')) stream.pipe(stream);
  });
  const stalled = a.open({ m: 'stall' });
  let accepted = 0;
  for (let turn = 0; turn < 100; turn += 1) {
    stalled.write(Buffer.alloc(64 * 1024), () => {
      accepted += 64 * 1024;
    });
  }
  const other = a.open({ m: 'read' });
  other.end(Buffer.alloc(2 * 1024 * 1024, 7));
  expect((await readAll(other)).length).toBe(2 * 1024 * 1024);
  // Credit, and what the reader's own buffer takes before it is full.
  expect(accepted).toBeLessThanOrEqual(limits.creditBytes + 128 * 1024);
  a.close('done');
});

test('streams take turns frame by frame', async () => {
  const { mux, peer } = hostile();
  const order: number[] = [];
  const decoder = new FrameDecoder();
  peer.on('data', (chunk: Buffer) => {
    decoder.push(chunk, (frame) => {
      if (frame.type === 'data') order.push(frame.stream);
    });
  });
  mux.open({}).write(Buffer.alloc(4 * limits.dataBytes));
  mux.open({}).write(Buffer.alloc(4 * limits.dataBytes));
  await expect.poll(() => order.length).toBe(8);
  expect(order).toEqual([1, 3, 1, 3, 1, 3, 1, 3]);
  mux.close('done');
});

test('one side may end while the other still sends', async () => {
  const { a } = pair((stream) => {
    stream.resume();
    stream.on('end', () => stream.end('later'));
  });
  const stream = a.open({});
  stream.end('first');
  expect((await readAll(stream)).toString()).toBe('later');
  a.close('done');
});

test('a reset tells its reason and leaves the channel alone', async () => {
  const { a } = pair((stream, payload) => {
    if (payload.toString().includes('no')) stream.reset('refused');
    else stream.reply({ fine: true });
  });
  const refused = a.open({ say: 'no' });
  await expect(refused.response).rejects.toMatchObject({ code: 'refused' });
  expect((await a.open({ say: 'yes' }).response).toString()).toBe('{"fine":true}');
  a.close('done');
});

test('the end of the channel ends every stream with the reason, and no new one opens', async () => {
  const { a, b } = pair();
  const stream = a.open({});
  const ended = new Promise((resolve) => stream.once('close', resolve));
  await new Promise(setImmediate);
  b.close('taken over by epoch 7');
  await ended;
  expect(stream.errored?.message).toContain('taken over by epoch 7');
  expect((await a.closed).reason).toContain('taken over by epoch 7');
  expect(() => a.open({})).toThrow('taken over by epoch 7');
});

test.each<[string, Buffer[]]>([
  ['an unknown frame type', [Buffer.from([77, 0, 0, 0, 0, 0, 0, 0, 0])]],
  ['a second HELLO', [encodeJsonFrame('hello', 0, {})]],
  ['a stream number of the wrong side', [encodeJsonFrame('open', 3, {})]],
  ['a stream number that was used', [encodeJsonFrame('open', 4, {}), encodeJsonFrame('open', 4, {})]],
  ['data for a stream that never was', [data(12, 10)]],
  ['empty data', [encodeJsonFrame('open', 2, {}), encodeHeader('data', 2, 0)]],
  ['data over credit', [encodeJsonFrame('open', 2, {}), ...Array.from({ length: 9 }, () => data(2, 60_000))]],
  ['data after the end', [encodeJsonFrame('open', 2, {}), encodeHeader('end', 2, 0), data(2, 1)]],
  ['more credit than was used', [encodeJsonFrame('open', 2, {}), encodeHeader('window', 2, 1)]],
  ['an unasked reply', [encodeJsonFrame('open', 2, {}), encodeJsonFrame('reply', 2, {})]],
])('%s closes the channel', async (_name, frames) => {
  const { mux, peer } = hostile();
  for (const frame of frames) peer.write(frame);
  expect(mux.isClosed).toBe(false);
  await mux.closed;
  expect(mux.isClosed).toBe(true);
});

test('a frame before HELLO closes the channel', async () => {
  const [left, right] = duplexPair();
  const mux = new Mux(left, side('odd'));
  right.write(encodeJsonFrame('open', 2, {}));
  expect((await mux.closed).reason).toContain('before HELLO');
});

test('a peer that opens streams without end is cut off', async () => {
  let opened = 0;
  const { mux, peer } = hostile({ onOpen: () => (opened += 1) });
  peer.resume();
  peer.write(
    Buffer.concat(Array.from({ length: 3000 }, (_, index) => encodeJsonFrame('open', 2 + index * 2, {}))),
  );
  expect((await mux.closed).reason).toContain('too many OPEN');
  expect(opened).toBe(limits.peerStreams);
});

test('a peer that asks for answers and reads none is cut off', async () => {
  const { mux, peer } = hostile();
  const pings = Buffer.concat(Array.from({ length: 20_000 }, () => encodeHeader('ping', 0, 1)));
  for (let turn = 0; turn < 10; turn += 1) peer.write(pings);
  expect((await mux.closed).reason).toContain('does not read');
});

test('data in half a million tiny frames costs memory by its bytes', async () => {
  const { mux, peer } = hostile();
  const streams = 8;
  const before = process.memoryUsage();
  for (let index = 0; index < streams; index += 1) peer.write(encodeJsonFrame('open', 2 + index * 2, {}));
  for (let index = 0; index < streams; index += 1) {
    const tiny = data(2 + index * 2, 1);
    peer.write(Buffer.concat(Array.from({ length: 65_536 }, () => tiny)));
    await new Promise(setImmediate);
  }
  await new Promise(setImmediate);
  expect(mux.isClosed).toBe(false);
  const after = process.memoryUsage();
  expect(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(
    64 * 1024 * 1024,
  );
  mux.close('done');
});

test('hostile frames after HELLO never throw out of the mux', async () => {
  const numbers = fc.integer({ min: 0, max: 12 });
  const frame = fc.oneof(
    fc
      .tuple(fc.integer({ min: 0, max: 12 }), numbers, fc.integer({ min: 0, max: 70_000 }))
      .map(([type, stream, n]) => {
        const header = Buffer.alloc(9);
        header[0] = type;
        header.writeUInt32BE(stream, 1);
        header.writeUInt32BE(n, 5);
        return header;
      }),
    fc.tuple(numbers, fc.integer({ min: 1, max: 65_536 })).map(([stream, bytes]) => data(stream, bytes)),
    numbers.map((stream) => encodeJsonFrame('open', stream, { x: 1 })),
    numbers.map((stream) => encodeJsonFrame('reply', stream, { ok: true })),
    numbers.map((stream) => encodeHeader('end', stream, 0)),
    fc.uint8Array({ minLength: 1, maxLength: 64 }).map((noise) => Buffer.from(noise)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { maxLength: 40 }), async (frames) => {
      const { mux, peer } = hostile({ onOpen: (stream) => stream.pipe(stream) });
      const own = mux.open({});
      own.end('x');
      peer.resume();
      for (const one of frames) peer.write(one);
      peer.end();
      await mux.closed;
      expect(own.destroyed).toBe(true);
    }),
    { numRuns: 200 },
  );
});

/** Time that stands still until it is moved. */
class HeldTime implements ChannelTime {
  #nowMs = 0;
  #sleeping: Array<{ atMs: number; wake: () => void }> = [];

  monotonicMs(): number {
    return this.#nowMs;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#sleeping.push({ atMs: this.#nowMs + ms, wake: resolve }));
  }

  async advance(ms: number): Promise<void> {
    this.#nowMs += ms;
    for (const one of this.#sleeping.filter(({ atMs }) => atMs <= this.#nowMs)) one.wake();
    this.#sleeping = this.#sleeping.filter(({ atMs }) => atMs > this.#nowMs);
    await new Promise(setImmediate);
  }
}

test('a silent peer is dead after two missed pings', async () => {
  const time = new HeldTime();
  const { mux } = hostile({ time });
  await new Promise(setImmediate);
  await time.advance(limits.helloMs);
  await time.advance(limits.pingEveryMs);
  expect(mux.isClosed).toBe(false);
  await time.advance(limits.pingEveryMs);
  expect((await mux.closed).reason).toContain('does not answer');
});

test('a silent peer that somebody knows to live is waited for, but not for ever', async () => {
  const time = new HeldTime();
  let asked = 0;
  let lives = true;
  const isPeerAlive = (): Promise<boolean> => {
    asked += 1;
    return Promise.resolve(lives);
  };
  const first = hostile({ time, isPeerAlive }).mux;
  await new Promise(setImmediate);
  await time.advance(limits.helloMs);
  for (let count = 0; count < 4; count += 1) await time.advance(limits.pingEveryMs);
  expect(first.isClosed).toBe(false);
  expect(asked).toBeGreaterThan(1);
  lives = false;
  await time.advance(limits.pingEveryMs);
  expect((await first.closed).reason).toContain('does not answer');

  lives = true;
  const second = hostile({ time, isPeerAlive }).mux;
  await new Promise(setImmediate);
  await time.advance(limits.helloMs);
  for (let ms = 0; ms <= limits.silentMs; ms += limits.pingEveryMs) await time.advance(limits.pingEveryMs);
  expect((await second.closed).reason).toContain('does not answer');
});

test('a peer that never says HELLO is given up', async () => {
  const time = new HeldTime();
  const [left] = duplexPair();
  const mux = new Mux(left, side('odd', { time }));
  await time.advance(limits.helloMs);
  expect((await mux.closed).reason).toContain('HELLO');
});

test('this side refuses to open more streams than it may', () => {
  const { mux } = hostile();
  for (let index = 0; index < limits.ownStreams; index += 1) mux.open({});
  expect(() => mux.open({})).toThrow(StreamResetError);
  mux.close('done');
});
