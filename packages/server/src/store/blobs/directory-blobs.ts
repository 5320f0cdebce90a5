import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BerthError } from '../../domain/errors/index.ts';
import type { Blobs } from '../../domain/ports/blobs.ts';

const keyPattern = /^sha256-([0-9a-f]{64})$/;

/**
 * Blobs in a directory: `<directory>/<first two digits>/<64 digits>`. A blob appears under its name whole and on
 * disk (fsync, then rename, then fsync of the directory), or not at all; its bytes are checked when it is read whole.
 */
export function directoryBlobs(directory: string, options: { readonly durable?: boolean } = {}): Blobs {
  const isDurable = options.durable ?? true;
  const pathOf = (key: string): string => {
    const digits = keyPattern.exec(key)?.[1];
    if (digits === undefined) throw new BerthError('BLOB_MISSING', `“${key}” is not a key of a blob.`);
    return join(directory, digits.slice(0, 2), digits);
  };
  return {
    async put(data) {
      const draft = join(directory, 'tmp', `${process.pid}-${randomBytes(8).toString('hex')}`);
      try {
        const key = await writeDraft(draft, data, isDurable);
        const path = pathOf(key);
        if (!(await exists(path))) {
          await mkdir(dirname(path), { recursive: true, mode: 0o700 });
          await rename(draft, path);
          if (isDurable) await syncDirectory(dirname(path));
        }
        return key;
      } catch (error) {
        throw ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')
          ? new BerthError('DATABASE_DISK_FULL', 'The disk that holds the blobs is full.', { cause: error })
          : error;
      } finally {
        await rm(draft, { force: true });
      }
    },
    async get(key) {
      const bytes = await readFile(pathOf(key)).catch((error: unknown) => {
        throw missing(key, error);
      });
      if (`sha256-${createHash('sha256').update(bytes).digest('hex')}` !== key) {
        throw new BerthError('BLOB_MISSING', `The blob ${key} is damaged.`);
      }
      return bytes;
    },
    async *stream(key) {
      const hash = createHash('sha256');
      try {
        for await (const chunk of createReadStream(pathOf(key)) as AsyncIterable<Buffer>) {
          hash.update(chunk);
          yield chunk;
        }
      } catch (error) {
        throw missing(key, error);
      }
      if (`sha256-${hash.digest('hex')}` !== key)
        throw new BerthError('BLOB_MISSING', `The blob ${key} is damaged.`);
    },
    async remove(key) {
      await rm(pathOf(key), { force: true });
    },
  };
}

async function writeDraft(
  path: string,
  data: Uint8Array | AsyncIterable<Uint8Array>,
  isDurable: boolean,
): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'wx', 0o600).catch(async (error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    return open(path, 'wx', 0o600);
  });
  try {
    for await (const chunk of data instanceof Uint8Array ? [data] : data) {
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    if (isDurable) await file.sync();
  } finally {
    await file.close();
  }
  return `sha256-${hash.digest('hex')}`;
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function missing(key: string, error: unknown): unknown {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
    ? new BerthError('BLOB_MISSING', `The blob ${key} is missing.`, { cause: error })
    : error;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
