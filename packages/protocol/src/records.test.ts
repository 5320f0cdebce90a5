import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ProtocolError } from './errors.ts';
import { limits } from './limits.ts';
import { encodeRecordHeader, RecordDecoder } from './records.ts';
import type { OutputRecord, RecordKind } from './records.ts';

const records = fc.array(
  fc.record({
    kind: fc.constantFrom<RecordKind>('stdout', 'stderr', 'truncated'),
    data: fc.uint8Array({ maxLength: 2000 }).map((array) => Buffer.from(array)),
  }),
  { maxLength: 20 },
);

test('records decode the same however their bytes are cut, and their offsets leave no gap', () => {
  fc.assert(
    fc.property(
      records,
      fc.integer({ min: 1, max: 3000 }),
      fc.integer({ min: 0, max: 2 ** 50 }),
      (sent, size, start) => {
        const log = Buffer.concat(
          sent.flatMap(({ kind, data }) => [encodeRecordHeader(kind, data.length), data]),
        );
        const decoder = new RecordDecoder(start);
        const got: OutputRecord[] = [];
        for (let at = 0; at < log.length; at += size) got.push(...decoder.push(log.subarray(at, at + size)));
        expect(got.map(({ kind, data }) => ({ kind, data }))).toEqual(sent);
        let next = start;
        for (const record of got) {
          expect(record.offset).toBe(next);
          next = record.nextOffset;
        }
        expect(next).toBe(start + log.length);
      },
    ),
  );
});

test('unknown kinds, lengths over the limit and output after the exit are refused', () => {
  const push = (bytes: Buffer): unknown => [...new RecordDecoder(0).push(bytes)];
  expect(() => push(Buffer.from([9, 0, 0, 0, 0]))).toThrow(ProtocolError);
  expect(() => push(encodeRecordHeader('stdout', limits.recordBytes + 1))).toThrow(ProtocolError);
  const exit = encodeRecordHeader('exit', 0);
  expect(() => push(Buffer.concat([exit, exit]))).toThrow(ProtocolError);
  const decoder = new RecordDecoder(0);
  expect([...decoder.push(exit)]).toHaveLength(1);
  expect(() => [...decoder.push(exit)]).toThrow(ProtocolError);
});

test('hostile bytes are refused with a protocol error and nothing else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), (noise) => {
      try {
        Array.from(new RecordDecoder(0).push(Buffer.from(noise)));
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
    { numRuns: 500 },
  );
});
