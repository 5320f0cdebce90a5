import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Blobs } from '../../domain/ports/blobs.ts';
import { directoryBlobs } from './directory-blobs.ts';

let directory = '';
let blobs: Blobs;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-blobs-'));
  blobs = directoryBlobs(directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function joined(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test('the same bytes have the same key, however they come and however often', async () => {
  const keys = await Promise.all([
    blobs.put(Buffer.from('hello world')),
    blobs.put(pieces('hello', ' ', 'world')),
    blobs.put(pieces('hello world')),
  ]);
  expect(new Set(keys)).toEqual(
    new Set(['sha256-b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9']),
  );
  expect(Buffer.from(await blobs.get(keys[0])).toString()).toBe('hello world');
  expect(await joined(blobs.stream(keys[0]))).toBe('hello world');
});

test('a source that fails half-way leaves nothing behind', async () => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('half');
    await Promise.reject(new Error('broken off'));
  }
  await expect(blobs.put(broken())).rejects.toThrowError('broken off');
  expect(await readdir(join(directory, 'tmp'))).toEqual([]);
});

test('what is missing, damaged or no key is said to be so', async () => {
  const none = `sha256-${'0'.repeat(64)}`;
  await expect(blobs.get(none)).rejects.toMatchObject({ code: 'BLOB_MISSING' });
  await expect(joined(blobs.stream(none))).rejects.toMatchObject({ code: 'BLOB_MISSING' });
  await expect(blobs.get('sha256-../../../etc/passwd')).rejects.toMatchObject({ code: 'BLOB_MISSING' });
  const key = await blobs.put(Buffer.from('to be damaged'));
  await writeFile(join(directory, key.slice(7, 9), key.slice(7)), 'to be demaged');
  await expect(blobs.get(key)).rejects.toMatchObject({ code: 'BLOB_MISSING' });
  await expect(joined(blobs.stream(key))).rejects.toMatchObject({ code: 'BLOB_MISSING' });
});
