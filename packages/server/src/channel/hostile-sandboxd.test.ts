import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeHeader, encodeJsonFrame, encodeRecordHeader, FrameDecoder } from '@berth/protocol';
import type { Frame } from '@berth/protocol';
import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BerthError } from '../domain/errors/index.ts';
import { execRequest } from '../testing/exec-helper.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { testClock } from '../testing/test-clock.ts';
import type { Channel } from './channel.ts';
import { connectChannel } from './connect.ts';

const hello = { role: 'sandboxd', protocol: 1, sandbox: 's', bootId: 'b', epoch: 0, generation: 1 };
const good = { ok: true, value: {} };

/** A sandboxd that does what a test tells it to do with each frame of the worker. */
class HostileSandboxd {
  readonly #directory = mkdtempSync(join(tmpdir(), 'berth-hostile-'));
  readonly socketPath = join(this.#directory, 'sandboxd.sock');
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Whether it leaves the first OPEN without an answer. */
  isMute = false;
  /** What it says at once. */
  greeting: Buffer = encodeJsonFrame('hello', 0, hello);
  /** Answers to the worker's frames other than the first OPEN, which asks for notices and is granted. */
  answer: (frame: Frame, socket: Socket) => void = () => {};

  constructor() {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.write(this.greeting);
      const decoder = new FrameDecoder();
      socket.on('data', (chunk: Buffer) => {
        decoder.push(chunk, (frame) => {
          if (frame.type === 'open' && frame.stream === 1 && !this.isMute)
            socket.write(encodeJsonFrame('reply', 1, good));
          else this.answer(frame, socket);
        });
      });
    });
  }

  listen(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.listen(this.socketPath, resolve);
    });
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

let sandboxd: HostileSandboxd;

beforeEach(async () => {
  sandboxd = new HostileSandboxd();
  await sandboxd.listen();
});

afterEach(() => sandboxd.close());

const connect = (): Promise<Channel> =>
  connectChannel({
    socketPath: sandboxd.socketPath,
    sandboxId: 's',
    epoch: 1,
    clock: testClock,
    signal: AbortSignal.timeout(120_000),
    onEgressStream: (stream) => stream.resume(),
  });

const run = (channel: Channel): Promise<unknown> =>
  channel.exec(execRequest('true'), { signal: AbortSignal.timeout(120_000) });

/** Answers the exec with these bytes of output log and an end of the stream. */
function answerExec(...log: Buffer[]): void {
  sandboxd.answer = (frame, socket) => {
    if (frame.type !== 'open') return;
    socket.write(encodeJsonFrame('reply', frame.stream, { ok: true, value: { attached: false } }));
    const bytes = Buffer.concat(log);
    if (bytes.length > 0)
      socket.write(Buffer.concat([encodeHeader('data', frame.stream, bytes.length), bytes]));
    socket.write(encodeHeader('end', frame.stream, 0));
  };
}

const record = (kind: 'stdout' | 'exit', text: string): Buffer =>
  Buffer.concat([encodeRecordHeader(kind, text.length), Buffer.from(text)]);

test('its hello with another name, another role or nonsense is refused', async () => {
  for (const said of [
    { ...hello, sandbox: 'other' },
    { ...hello, role: 'worker' },
    { ...hello, bootId: '../..' },
    [],
  ]) {
    sandboxd.greeting = encodeJsonFrame('hello', 0, said);
    await expect(connect()).rejects.toMatchObject({ code: 'SANDBOX_UNREACHABLE' });
  }
});

test('one that says hello, answers pings and nothing else is given up', async () => {
  sandboxd.isMute = true;
  sandboxd.answer = (frame, socket) => {
    if (frame.type === 'ping') socket.write(encodeHeader('pong', 0, frame.token));
  };
  const clock = new ManualClock();
  const connecting = connectChannel({
    socketPath: sandboxd.socketPath,
    sandboxId: 's',
    epoch: 1,
    clock,
    signal: AbortSignal.timeout(120_000),
  });
  const failure = connecting.catch((error: unknown) => error);
  await expect.poll(() => clock.sleeping).toBeGreaterThanOrEqual(2);
  for (let passedMs = 0; passedMs < 60_000; passedMs += 1_000) {
    await clock.advance(1_000);
    // For the pong to arrive.
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(await failure).toMatchObject({ code: 'SANDBOX_UNREACHABLE' });
});

test.each<[string, Buffer[]]>([
  ['no exit', [record('stdout', 'hi')]],
  ['an exit that is no JSON', [record('exit', '{')]],
  ['an exit with a code out of range', [record('exit', '{"kind":"exited","exitCode":900}')]],
  ['half a record', [encodeRecordHeader('stdout', 100)]],
  ['an unknown record', [Buffer.from([200, 0, 0, 0, 0])]],
  ['output after the exit', [record('exit', '{"kind":"lost","what":"runner"}'), record('stdout', 'more')]],
])('an output log with %s is an error with a code, never a result', async (_name, log) => {
  answerExec(...log);
  const channel = await connect();
  await expect(run(channel)).rejects.toBeInstanceOf(BerthError);
  channel.close('done');
});

test('a sentence of a refusal is shown without control characters and shortened', async () => {
  sandboxd.answer = (frame, socket) => {
    if (frame.type !== 'open') return;
    const sentence = `\u001b[31m${'x'.repeat(4000)}`;
    socket.write(encodeJsonFrame('reply', frame.stream, { ok: false, code: 'denied', sentence }));
  };
  const channel = await connect();
  const error = (await channel.stat('x').catch((thrown: unknown) => thrown)) as BerthError;
  expect(error.code).toBe('FILE_REFUSED');
  expect(String(error.details['said']).length).toBeLessThanOrEqual(500);
  expect(String(error.details['said'])).not.toContain('\u001b');
  channel.close('done');
});

test('more bytes than were asked for are refused', async () => {
  sandboxd.answer = (frame, socket) => {
    if (frame.type !== 'open') return;
    socket.write(encodeJsonFrame('reply', frame.stream, { ok: true, value: { bytes: 4 } }));
    socket.write(Buffer.concat([encodeHeader('data', frame.stream, 100), Buffer.alloc(100)]));
  };
  const channel = await connect();
  const read = async (): Promise<void> => {
    for await (const chunk of channel.read('x', { length: 4 })) expect(chunk.length).toBeLessThanOrEqual(4);
  };
  await expect(read()).rejects.toBeInstanceOf(BerthError);
  channel.close('done');
});

test('one that hangs up in the middle of a command loses the sandbox, and nothing is thrown into the void', async () => {
  sandboxd.answer = (frame, socket) => {
    if (frame.type === 'data') socket.destroy();
  };
  const channel = await connect();
  expect(await run(channel)).toEqual({ kind: 'lost', what: 'sandbox' });
  await expect(channel.stat('x')).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
  await expect(channel.write('x', Buffer.from('y'))).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
  await expect(channel.calls()).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
});

test('one that opens anything but egress has it refused, and the channel goes on', async () => {
  const channel = await connect();
  const resets: number[] = [];
  sandboxd.answer = (frame, socket) => {
    if (frame.type === 'reset') resets.push(frame.stream);
    if (frame.type !== 'open') return;
    socket.write(encodeJsonFrame('open', 2, { m: 'exec', id: 'x' }));
    socket.write(encodeJsonFrame('open', 4, { m: 'egress', host: 'x' }));
    socket.write(encodeJsonFrame('reply', frame.stream, { ok: true, value: { stat: null } }));
    socket.write(encodeHeader('end', frame.stream, 0));
  };
  expect(await channel.stat('x')).toBeNull();
  await expect.poll(() => resets).toEqual(expect.arrayContaining([2, 4]));
  channel.close('done');
});

test('fuzzed frames in the middle of every operation end in a result or an error with a code', async () => {
  const streams = fc.integer({ min: 0, max: 14 });
  const data = (stream: number, bytes: Uint8Array): Buffer =>
    Buffer.concat([encodeHeader('data', stream, bytes.length), Buffer.from(bytes)]);
  const json = fc.oneof(
    fc.constant<unknown>(good),
    fc.constant<unknown>({ ok: true, value: { attached: false } }),
    fc.constant<unknown>({ ok: true, value: { bytes: 1 } }),
    fc.constant<unknown>({ ok: false, code: 'io', sentence: 'x' }),
    fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<unknown>,
  );
  const frame = fc.oneof(
    fc.tuple(streams, json).map(([stream, value]) => encodeJsonFrame('reply', stream, value ?? null)),
    fc
      .tuple(streams, fc.uint8Array({ minLength: 1, maxLength: 200 }))
      .map(([stream, bytes]) => data(stream, bytes)),
    streams.map((stream) => data(stream, record('stdout', 'output'))),
    streams.map((stream) => data(stream, Buffer.from('{"name":"a","stat":null}\n{"id":1}\n'))),
    streams.map((stream) => encodeHeader('end', stream, 0)),
    streams.map((stream) => encodeHeader('reset', stream, stream)),
    streams.map((stream) => encodeJsonFrame('open', stream, { m: 'egress' })),
    fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 30 }), async (frames) => {
      let sent = false;
      sandboxd.answer = (got, socket) => {
        if (sent || got.type !== 'open') return;
        sent = true;
        for (const one of frames) socket.write(one);
        socket.end();
      };
      const channel = await connect();
      const operations = await Promise.allSettled([
        run(channel),
        channel.stat('x'),
        channel.list('x'),
        channel.calls(),
        channel.write('x', Buffer.alloc(1000)),
        channel.stats(),
        (async () => {
          for await (const chunk of channel.read('x')) expect(chunk.length).toBeGreaterThan(0);
        })(),
      ]);
      for (const one of operations)
        if (one.status === 'rejected') expect(one.reason).toBeInstanceOf(BerthError);
      await channel.closed;
    }),
    { numRuns: 150 },
  );
});
