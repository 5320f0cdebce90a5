import { connect as tlsConnect } from 'node:tls';
import { duplexPair } from 'node:stream';
import { assert, nat, property, uint8Array } from 'fast-check';
import { expect, test } from 'vitest';
import { maxClientHelloBytes, readClientHello, refuseHello } from './client-hello.ts';

/** What Node's own TLS client sends first. */
async function realHello(servername: string | undefined): Promise<Buffer> {
  const [inside, outside] = duplexPair();
  const client = tlsConnect({ socket: inside, ...(servername === undefined ? {} : { servername }) });
  client.on('error', () => {});
  const bytes = await new Promise<Buffer>((resolve) => outside.once('data', resolve));
  client.destroy();
  return bytes;
}

/** A hello with the given extensions, in one record per part. */
function hello(extensions: ReadonlyArray<readonly [number, Buffer]>, partBytes = 0x4000): Buffer {
  const encoded = extensions.map(([type, data]) => {
    const head = Buffer.alloc(4);
    head.writeUInt16BE(type, 0);
    head.writeUInt16BE(data.length, 2);
    return Buffer.concat([head, data]);
  });
  const all = Buffer.concat(encoded);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(all.length);
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32),
    Buffer.from([0, 0, 2, 0x13, 0x01, 1, 0]),
    length,
    all,
  ]);
  const head = Buffer.from([1, 0, 0, 0]);
  head.writeUIntBE(body.length, 1, 3);
  const message = Buffer.concat([head, body]);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += partBytes) {
    const part = message.subarray(at, at + partBytes);
    const record = Buffer.from([0x16, 3, 1, 0, 0]);
    record.writeUInt16BE(part.length, 3);
    records.push(record, part);
  }
  return Buffer.concat(records);
}

function sni(...names: readonly string[]): readonly [number, Buffer] {
  const entries = Buffer.concat(
    names.map((name) => Buffer.concat([Buffer.from([0, 0, name.length]), Buffer.from(name)])),
  );
  return [0, Buffer.concat([Buffer.from([0, entries.length]), entries])];
}

test('the server name of a real client is read', async () => {
  expect(readClientHello(await realHello('Build.Example.org'))).toEqual({
    kind: 'hello',
    serverName: 'build.example.org',
    encrypted: false,
    protocols: [],
  });
  expect(readClientHello(await realHello(undefined))).toMatchObject({ kind: 'hello', serverName: null });
});

test('every prefix of a real hello is incomplete, and bytes after it do not matter', async () => {
  const bytes = await realHello('build.example.org');
  for (let end = 0; end < bytes.length; end += 1) {
    expect(readClientHello(bytes.subarray(0, end)).kind).toBe('incomplete');
  }
  expect(readClientHello(Buffer.concat([bytes, Buffer.alloc(50, 0xff)])).kind).toBe('hello');
});

test('a hello spread over many records is put together', () => {
  expect(readClientHello(hello([sni('a.example')], 3))).toMatchObject({ serverName: 'a.example' });
});

test('a hello that another record interrupts is refused', () => {
  const bytes = hello([sni('a.example')], 20);
  const torn = Buffer.concat([
    bytes.subarray(0, 25),
    Buffer.from([0x15, 3, 3, 0, 2, 1, 0]),
    bytes.subarray(25),
  ]);
  expect(readClientHello(torn)).toMatchObject({ kind: 'invalid' });
});

test('a hello that never ends is refused at the limit', () => {
  const endless = hello([[99, Buffer.alloc(40_000)]], 1000).subarray(0, maxClientHelloBytes + 100);
  expect(readClientHello(endless)).toMatchObject({ kind: 'invalid' });
});

test('two names, a repeated extension, and names of odd bytes are refused', () => {
  expect(readClientHello(hello([sni('a.example', 'b.example')]))).toMatchObject({ kind: 'invalid' });
  expect(readClientHello(hello([sni('a.example'), sni('b.example')]))).toMatchObject({ kind: 'invalid' });
  expect(readClientHello(hello([sni('a.example\0')]))).toMatchObject({ kind: 'invalid' });
});

test('an encrypted hello may not pass, even with the right outer name', () => {
  const read = readClientHello(hello([sni('a.example'), [0xfe0d, Buffer.from([0])]]));
  expect(read).toEqual({ kind: 'hello', serverName: 'a.example', encrypted: true, protocols: [] });
  expect(refuseHello(read as never, 'a.example')).toContain('ECH');
});

test('a hello passes only to the host it names', () => {
  const named = (serverName: string | null) =>
    ({ kind: 'hello', serverName, encrypted: false, protocols: [] }) as const;
  expect(refuseHello(named('a.example'), 'a.example')).toBeNull();
  expect(refuseHello(named('a.example.'), 'a.example')).toBeNull();
  expect(refuseHello(named('b.example'), 'a.example')).toContain('b.example');
  expect(refuseHello(named(null), 'a.example')).toContain('SNI');
});

test('hostile bytes never make the reader throw', () => {
  const start = hello([sni('a.example')]);
  assert(
    property(uint8Array({ maxLength: 300 }), nat(start.length - 1), nat(255), (bytes, at, value) => {
      readClientHello(Buffer.from(bytes));
      readClientHello(Buffer.concat([Buffer.from([0x16, 3, 1]), Buffer.from(bytes)]));
      const bent = Buffer.from(start);
      bent[at] = value;
      readClientHello(bent);
    }),
    { numRuns: 2000 },
  );
});
