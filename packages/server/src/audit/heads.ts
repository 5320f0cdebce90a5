import { createReadStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { Seal } from './seal.ts';

const headSchema = z.strictObject({
  number: z.int().min(1),
  to: z.int().min(0),
  count: z.int().min(0),
  at: z.string(),
  hash: z.string(),
  keyId: z.string(),
  signature: z.string(),
});
/** What is kept of a seal outside the database. */
export type Head = z.infer<typeof headSchema>;

/** A line of the heads file: a head, or the number of a line that holds none. */
export type HeadLine = { readonly head: Head } | { readonly unreadable: number };

export function headsPath(home: string): string {
  return join(home, 'audit', 'heads.jsonl');
}

export function headOf({ number, to, count, at, hash, keyId, signature }: Seal): Head {
  return { number, to, count, at, hash, keyId, signature };
}

/** Appends and waits until it is on disk. What a crash left of a line gets a line of its own. */
export async function appendHead(path: string, head: Head): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(path, 'a+', 0o600);
  try {
    const { size } = await file.stat();
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
    const isOpen = size > 0 && buffer[0] !== 0x0a;
    await file.appendFile(`${isOpen ? '\n' : ''}${JSON.stringify(head)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** All lines in order; none when there is no file. */
export async function* readHeads(path: string): AsyncGenerator<HeadLine> {
  const stream = createReadStream(path, 'utf8');
  let number = 0;
  try {
    for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
      number += 1;
      if (line === '') continue;
      const head = headSchema.safeParse(parsed(line));
      yield head.success ? { head: head.data } : { unreadable: number };
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  } finally {
    stream.destroy();
  }
}

/** The last head that the file holds. */
export async function lastHead(path: string): Promise<Head | null> {
  let last: Head | null = null;
  for await (const line of readHeads(path)) if ('head' in line) last = line.head;
  return last;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
