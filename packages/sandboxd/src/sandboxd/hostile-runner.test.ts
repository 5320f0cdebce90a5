import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chunksOf, encodeRecordHeader, Mux, protocolVersion, RecordDecoder } from '@berth/protocol';
import type { MuxStream } from '@berth/protocol';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Sandboxd } from './sandboxd.ts';

let directory: string;
let sandboxd: Sandboxd;
const open: Mux[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-sandboxd-'));
  sandboxd = new Sandboxd({
    sandbox: 's',
    bootId: 'boot',
    workerSocket: join(directory, 'worker.sock'),
    runnerSocket: join(directory, 'runner.sock'),
    spoolDirectory: join(directory, 'spool'),
    oomCounterFile: null,
    onShutdown: () => {},
  });
  await sandboxd.listen();
});

afterEach(() => {
  for (const mux of open.splice(0)) mux.close('done');
  sandboxd.close();
  rmSync(directory, { recursive: true, force: true });
});

function worker(epoch: number, onOpen: (stream: MuxStream) => void = () => {}): Mux {
  const mux = new Mux(createConnection(join(directory, 'worker.sock')), {
    side: 'odd',
    hello: { role: 'worker', protocol: protocolVersion, sandbox: 's', epoch },
    onHello: () => {},
    onOpen,
  });
  open.push(mux);
  return mux;
}

function runner(generation: number, onOpen: (stream: MuxStream, request: string) => void = () => {}): Mux {
  const mux = new Mux(createConnection(join(directory, 'runner.sock')), {
    side: 'even',
    hello: { role: 'runner', protocol: protocolVersion, generation, pty: false },
    onHello: () => {},
    onOpen: (stream, payload) => onOpen(stream, payload.toString()),
  });
  open.push(mux);
  return mux;
}

/** A runner that answers `run` with these bytes. */
function lyingRunner(...records: Buffer[]): Mux {
  return runner(1, (stream) => {
    stream.reply({ ok: true, value: {} });
    stream.resume();
    stream.end(Buffer.concat(records));
  });
}

const record = (kind: 'stdout' | 'exit' | 'truncated', text: string): Buffer =>
  Buffer.concat([encodeRecordHeader(kind, text.length), Buffer.from(text)]);

/** Runs a call and reads its log: the output, and the exit record as sandboxd wrote it. */
async function run(mux: Mux, id: string): Promise<{ output: string; exit: unknown }> {
  const spec = {
    script: 'true',
    cwd: '/workspace',
    env: {},
    stdin: 'none',
    timeoutMs: 60_000,
    maxOutputBytes: 1e6,
    overflow: 'truncate',
  };
  const body = Buffer.from(JSON.stringify(spec));
  const message = {
    m: 'exec',
    id,
    hash: 'h'.repeat(64),
    offset: 0,
    requestBytes: body.length,
    stdinBytes: 0,
  };
  const stream = mux.open(message);
  stream.end(body);
  expect(JSON.parse((await stream.response).toString())).toMatchObject({ ok: true });
  const decoder = new RecordDecoder(0);
  let output = '';
  for await (const chunk of chunksOf(stream)) {
    for (const one of decoder.push(chunk)) {
      if (one.kind === 'exit') return { output, exit: JSON.parse(one.data.toString()) };
      output += one.data.toString();
    }
  }
  throw new Error('no exit record');
}

const fine = record('exit', '{"exitCode":0,"signal":null,"timedOut":false}');

test('a runner that behaves is believed', async () => {
  lyingRunner(record('stdout', 'hi'), fine);
  const { output, exit } = await run(worker(1), 'c');
  expect(output).toBe('hi');
  expect(exit).toMatchObject({ kind: 'exited', exitCode: 0, truncated: false });
});

test.each<[string, Buffer[]]>([
  ['a record that only sandboxd writes', [record('truncated', '')]],
  ['an exit that is no JSON', [record('exit', '{')]],
  [
    'an exit with more in it',
    [record('exit', '{"exitCode":0,"signal":null,"timedOut":false,"truncated":true}')],
  ],
  ['an exit code out of range', [record('exit', '{"exitCode":-1,"signal":null,"timedOut":false}')]],
  ['an unknown record', [Buffer.from([9, 0, 0, 0, 0])]],
  ['an oversized record', [encodeRecordHeader('stdout', 2 ** 31)]],
  ['no exit', [record('stdout', 'hi')]],
])('a call whose runner sends %s ends as lost', async (_name, records) => {
  lyingRunner(...records);
  expect((await run(worker(1), 'c')).exit).toEqual({ kind: 'lost', what: 'runner' });
});

test('whoever holds the connection is the runner: a second one is turned away', async () => {
  lyingRunner(record('stdout', 'first'), fine);
  const mux = worker(1);
  expect((await run(mux, 'c1')).output).toBe('first');
  const second = runner(2, (stream) => stream.end(record('stdout', 'second')));
  await second.closed;
  expect((await run(mux, 'c2')).output).toBe('first');
});

test('a runner of an old generation is refused', async () => {
  const mux = worker(1);
  const first = lyingRunner(fine);
  await run(mux, 'c1');
  first.close('dies');
  await first.closed;
  await expect.poll(async () => (await runner(1).closed).reason).toContain('old generation');
});

test('a runner can open egress and nothing else, and its replies are checked', async () => {
  const seen: MuxStream[] = [];
  const mux = worker(1, (stream) => {
    seen.push(stream);
    stream.end('from the worker');
  });
  const hostile = runner(1, (stream) =>
    stream.reply({ ok: true, value: { stat: { kind: 'file', bytes: 'many' } } }),
  );
  const stat = mux.open({ m: 'stat', path: 'x' });
  stat.end();
  expect(JSON.parse((await stat.response).toString())).toMatchObject({ ok: false });

  const exec = hostile.open({ m: 'exec', id: 'x' });
  await expect(exec.response).rejects.toMatchObject({ code: 'refused' });
  const egress = hostile.open({ m: 'egress' });
  egress.end();
  const parts: Buffer[] = [];
  for await (const chunk of chunksOf(egress)) parts.push(chunk);
  expect(Buffer.concat(parts).toString()).toBe('from the worker');
  expect(seen).toHaveLength(1);
});

test('egress without a worker is reset', async () => {
  const lonely = runner(1);
  const stream = lonely.open({ m: 'egress' });
  await expect(stream.response).rejects.toMatchObject({ code: 'unavailable' });
});

test('a runner that floods a call nobody reads costs sandboxd bounded memory', async () => {
  const chunk = Buffer.concat([encodeRecordHeader('stdout', 60_000), Buffer.alloc(60_000)]);
  let sent = 0;
  runner(1, (stream) => {
    stream.reply({ ok: true, value: {} });
    stream.resume();
    const pour = (): void => {
      while (!stream.destroyed && sent < 256 * 1024 * 1024) {
        sent += chunk.length;
        if (!stream.write(chunk)) {
          stream.once('drain', pour);
          return;
        }
      }
      stream.end(fine);
    };
    pour();
  });
  const mux = worker(1);
  const before = process.memoryUsage().arrayBuffers;
  const spec = {
    script: 'true',
    cwd: '/workspace',
    env: {},
    stdin: 'none',
    timeoutMs: 60_000,
    maxOutputBytes: 1e9,
    overflow: 'truncate',
  };
  const body = Buffer.from(JSON.stringify(spec));
  const stream = mux.open({
    m: 'exec',
    id: 'c',
    hash: 'h'.repeat(64),
    offset: 0,
    requestBytes: body.length,
    stdinBytes: 0,
  });
  stream.end(body);
  await expect
    .poll(async () => {
      const calls = mux.open({ m: 'calls' });
      calls.end();
      let text = '';
      for await (const part of chunksOf(calls)) text += part.toString();
      return text;
    })
    .toContain('"running":false');
  // Garbage of both ends counts too; without limits it would be all of the 256 MiB.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(96 * 1024 * 1024);
});

test('a higher epoch ends the channels of a lower one, and the lower is refused afterwards', async () => {
  const old = worker(3);
  const calls = old.open({ m: 'calls' });
  await calls.response;
  const next = worker(4);
  expect((await old.closed).reason).toContain('taken over by epoch 4');
  expect((await worker(3).closed).reason).toContain('owns this sandbox');
  expect(next.isClosed).toBe(false);
});
