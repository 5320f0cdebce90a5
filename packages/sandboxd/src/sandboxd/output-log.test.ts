import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RecordDecoder } from '@berth/protocol';
import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { OutputLog } from './output-log.ts';
import { Spool } from './spool.ts';

const MiB = 1024 * 1024;
let directory: string;
let spool: Spool;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-log-'));
  spool = new Spool(join(directory, 'spool'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const newLog = (maxOutputBytes: number, overflow: 'truncate' | 'block'): OutputLog =>
  new OutputLog(spool, { maxOutputBytes, overflow });

function readFrom(log: OutputLog, offset: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = offset; ;) {
    const chunk = log.read(at);
    if (chunk === null) return Buffer.concat(parts);
    parts.push(Buffer.from(chunk));
    at += chunk.length;
  }
}

const spooled = (): number => readdirSync(join(directory, 'spool')).length;

test('what was appended reads back the same from every offset that is still there, acknowledged or spooled', () => {
  const step = fc.oneof(
    fc.record({ append: fc.integer({ min: 1, max: 65_000 }), fill: fc.integer({ min: 0, max: 255 }) }),
    fc.record({ acknowledge: fc.double({ min: 0, max: 1, noNaN: true }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const log = newLog(1e9, 'truncate');
      const all: Buffer[] = [];
      for (const one of steps) {
        if ('acknowledge' in one)
          log.acknowledge(Math.floor(log.base + (log.end - log.base) * one.acknowledge));
        else {
          const before = log.end;
          log.append(one.fill % 2 === 0 ? 'stdout' : 'stderr', Buffer.alloc(one.append, one.fill));
          all.push(readFrom(log, before));
        }
      }
      const whole = Buffer.concat(all);
      expect(whole.length).toBe(log.end);
      expect(readFrom(log, log.base).equals(whole.subarray(log.base))).toBe(true);
      log.drop();
      expect(spooled()).toBe(0);
    }),
    { numRuns: 40 },
  );
});

test('at most about 1 MiB of a call stays in memory, the rest lies in the spool until it is acknowledged', () => {
  const log = newLog(1e9, 'truncate');
  for (let index = 0; index < 20 * 16; index += 1) log.append('stdout', Buffer.alloc(MiB / 16, index));
  expect(spooled() * 256 * 1024).toBeGreaterThan(18 * MiB);
  expect(readFrom(log, 0).length).toBe(log.end);
  log.acknowledge(log.end);
  expect(spooled()).toBe(0);
});

test('a full spool cuts the output where it may be cut', () => {
  const log = newLog(1e9, 'truncate');
  for (let index = 0; index < 100 * 17; index += 1) log.append('stdout', Buffer.alloc(65_000));
  expect(log.truncated).toBe(true);
  expect(log.end).toBeLessThan(67 * MiB);
  log.finish(Buffer.from('{}'));
  const kinds = [...new RecordDecoder(0).push(readFrom(log, 0))].map((record) => record.kind);
  expect(kinds.at(-1)).toBe('exit');
  expect(kinds.filter((kind) => kind === 'truncated')).toHaveLength(1);
});

test('an output that is cut keeps its beginning and its end, and says where something is missing', () => {
  const pieces = fc.array(fc.string({ minLength: 1, maxLength: 300, unit: 'grapheme-ascii' }), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(pieces, fc.integer({ min: 200, max: 4_000 }), (texts, maxOutputBytes) => {
      const log = newLog(maxOutputBytes, 'truncate');
      for (const text of texts) log.append('stdout', Buffer.from(text));
      log.finish(Buffer.from('{}'));
      const records = [...new RecordDecoder(0).push(readFrom(log, 0))];
      const kept = Buffer.concat(
        records.filter(({ kind }) => kind === 'stdout').map(({ data }) => data),
      ).toString();
      const whole = texts.join('');
      log.drop();
      expect(log.truncated).toBe(whole.length > maxOutputBytes);
      if (!log.truncated) {
        expect(kept).toBe(whole);
        return;
      }
      const [head = '', tail = ''] = kept.split('\n[output left out here]\n');
      expect(kept.length).toBe(maxOutputBytes);
      expect(whole.startsWith(head)).toBe(true);
      expect(tail.length).toBeGreaterThan(0);
      expect(whole.endsWith(tail)).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test('a call that may wait is full at its maximum and goes on when output was acknowledged', async () => {
  const log = newLog(100_000, 'block');
  for (let index = 0; index < 4; index += 1) log.append('stdout', Buffer.alloc(30_000));
  expect(log.full).toBe(true);
  const change = log.change();
  log.acknowledge(60_010);
  await change;
  expect(log.full).toBe(false);
  expect(log.truncated).toBe(false);
});

test('what a slow reader has not read yet stays although a fast one acknowledged it', () => {
  const log = newLog(1e9, 'truncate');
  log.append('stdout', Buffer.alloc(50_000));
  const slow = log.addReader(0);
  log.acknowledge(log.end);
  expect(log.base).toBe(0);
  log.advance(slow, 20_000);
  expect(log.base).toBe(20_000);
  log.removeReader(slow);
  expect(log.base).toBe(log.end);
});
