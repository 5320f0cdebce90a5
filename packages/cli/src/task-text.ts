import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { failure } from './failure.ts';
import type { Io } from './io.ts';

/** Longest task text in characters; the server holds the same limit (a test compares them). */
export const maxTaskCharacters = 100_000;

/** Bytes after which reading stops: no text of the longest size takes as many. */
const maxBytes = 4 * maxTaskCharacters + 4;

/**
 * The task's text from the argument, a file or standard input (`-`).
 * @throws ApiFailure `TASK_EMPTY`, `TASK_TOO_LONG`, `FILE_UNREADABLE`, `USAGE`
 */
export async function taskText(
  io: Pick<Io, 'stdin' | 'cwd'>,
  given: string | undefined,
  file: string | undefined,
): Promise<string> {
  if (given !== undefined && file !== undefined) {
    throw failure('USAGE', 'Give the task as text or as a file, not both.', 'See `berth run --help`.');
  }
  const text = await source(io, given, file);
  if (text.trim() === '') throw failure('TASK_EMPTY', 'The task has no text.');
  if (text.length > maxTaskCharacters) {
    throw failure('TASK_TOO_LONG', `The task text has more than ${maxTaskCharacters} characters.`);
  }
  return text;
}

async function source(
  io: Pick<Io, 'stdin' | 'cwd'>,
  given: string | undefined,
  file: string | undefined,
): Promise<string> {
  if (given === '-' || file === '-') return readAll(io.stdin, 'standard input');
  if (given !== undefined) return given;
  if (file !== undefined) return readTextFile(resolve(io.cwd, file));
  throw failure(
    'USAGE',
    'There is no task.',
    'Say what is to be done: `berth run "fix the flaky date test"`, or `berth run -f task.md`.',
  );
}

/**
 * A text file of moderate size.
 * @throws ApiFailure `FILE_UNREADABLE`, `TASK_TOO_LONG`
 */
export async function readTextFile(path: string): Promise<string> {
  try {
    return await readAll(createReadStream(path), path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && 'syscall' in error) {
      throw failure('FILE_UNREADABLE', `The file ${path} cannot be read (${String(error.code)}).`);
    }
    throw error;
  }
}

async function readAll(pieces: AsyncIterable<Uint8Array | string>, name: string): Promise<string> {
  const all: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    const piece_ = typeof piece === 'string' ? Buffer.from(piece) : piece;
    bytes += piece_.length;
    if (bytes > maxBytes) {
      throw failure('TASK_TOO_LONG', `The text in ${name} has more than ${maxTaskCharacters} characters.`);
    }
    all.push(piece_);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(all));
  } catch {
    throw failure('FILE_UNREADABLE', `The text in ${name} is not UTF-8.`, 'Convert it to UTF-8.');
  }
}
