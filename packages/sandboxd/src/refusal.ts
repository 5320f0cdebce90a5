import { parseJson } from '@berth/protocol';
import type { MuxStream, RefusalCode, Shape } from '@berth/protocol';

/** A request that is not done, with the code the worker gets. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly code: RefusalCode;
  constructor(code: RefusalCode, sentence: string) {
    super(sentence);
    this.code = code;
  }
}

const codeOfErrno: Readonly<Record<string, RefusalCode>> = {
  ENOENT: 'not-found',
  EACCES: 'denied',
  EPERM: 'denied',
  EROFS: 'denied',
  EEXIST: 'exists',
  ENOTEMPTY: 'exists',
  EISDIR: 'is-directory',
  ENOTDIR: 'not-directory',
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
  EFBIG: 'too-large',
  ELOOP: 'not-found',
  ENAMETOOLONG: 'bad-request',
};

/** Any error as a refusal; system errors get the code of their errno. */
export function asRefusal(error: unknown): RefusedError {
  if (error instanceof RefusedError) return error;
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  const sentence = error instanceof Error ? error.message : String(error);
  return new RefusedError(codeOfErrno[code] ?? 'io', sentence.slice(0, 2000));
}

/** Answers that the request is not done, and ends the stream. */
export function refuse(stream: MuxStream, error: unknown): void {
  const refusal = asRefusal(error);
  stream.reply({ ok: false, code: refusal.code, sentence: refusal.message });
  stream.resume();
  stream.end();
}

/** Answers with a value and ends this side of the stream. */
export function answer(stream: MuxStream, value: unknown = {}): void {
  stream.reply({ ok: true, value });
  stream.resume();
  stream.end();
}

/** Reads exactly `bytes` bytes, leaving what follows in the stream. @throws RefusedError when it ends before */
export async function readExactly(stream: MuxStream, bytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let missing = bytes;
  while (missing > 0) {
    const part = stream.read(Math.min(missing, stream.readableLength || missing)) as Buffer | null;
    if (part === null) {
      if (stream.readableEnded || stream.destroyed)
        throw new RefusedError('bad-request', 'The request ended too soon.');
      await readableOrOver(stream);
      continue;
    }
    parts.push(part);
    missing -= part.length;
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

function readableOrOver(stream: MuxStream): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('readable', done).off('end', done).off('close', done);
      resolve();
    };
    stream.on('readable', done).on('end', done).on('close', done);
  });
}

/** Checks JSON of a peer. @throws RefusedError `bad-request` */
export function parseRequest<T>(payload: Uint8Array, shape: Shape<T>): T {
  try {
    return parseJson(payload, shape, 'request');
  } catch (error) {
    throw new RefusedError('bad-request', (error as Error).message);
  }
}
