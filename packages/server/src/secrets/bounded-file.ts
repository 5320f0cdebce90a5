import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { BerthError } from '../domain/errors/index.ts';

/** Longest secret that is read; keys and certificates are far below it. */
export const longestSecretBytes = 64 * 1024;

/** A file's text without the newline at its end. @throws whatever reading it throws; an `Error` for what is no secret */
export async function readBoundedFile(path: string): Promise<string> {
  // A named pipe would hold whoever opens it until somebody writes.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw new Error('it is not a file');
    const buffer = Buffer.alloc(longestSecretBytes + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
      length += bytesRead;
      if (bytesRead === 0 || length === buffer.length) break;
    }
    if (length > longestSecretBytes) throw new Error(`it is longer than ${longestSecretBytes} bytes`);
    return buffer.toString('utf8', 0, length).replace(/\r?\n$/, '');
  } finally {
    await file.close();
  }
}

/** What went wrong with a file, in one sentence and with a code. */
export function unreadable(path: string, error: unknown): BerthError {
  if (error instanceof BerthError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : null;
  const sentence = code === null ? (error instanceof Error ? error.message : String(error)) : wordsOf(code);
  return new BerthError('SECRET_MISSING', `The file ${path} of a secret cannot be read: ${sentence}.`, {
    cause: error,
  });
}

function wordsOf(code: string): string {
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'it is not there';
    case 'EACCES':
    case 'EPERM':
      return 'the user that runs Berth may not read it';
    case 'EISDIR':
      return 'it is not a file';
    default:
      return code;
  }
}
