import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Stats } from 'node:fs';
import { chmod, lstat, mkdir, open, opendir, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { chunksOf } from '@berth/protocol';
import type { FileRequest, MuxStream, WireFileStat } from '@berth/protocol';
import { answer, RefusedError } from '../refusal.ts';
import { resolvePath } from './places.ts';

type Request<M extends FileRequest['m']> = Extract<FileRequest, { m: M }>;

function wireStat(stats: Stats): WireFileStat {
  const kind = stats.isFile()
    ? 'file'
    : stats.isDirectory()
      ? 'directory'
      : stats.isSymbolicLink()
        ? 'symlink'
        : 'other';
  return { kind, bytes: stats.size, mode: stats.mode & 0o7777, modifiedMs: stats.mtimeMs };
}

/** Streams a part of a regular file. Devices and pipes are refused: reading them could last for ever. */
export async function readFile(
  request: Request<'read'>,
  workspace: string,
  stream: MuxStream,
): Promise<void> {
  const path = resolvePath(request.path, workspace);
  const stats = await stat(path);
  if (stats.isDirectory()) throw new RefusedError('is-directory', 'This is a directory.');
  if (!stats.isFile()) throw new RefusedError('denied', 'This is not a regular file.');
  const handle = await open(path, 'r');
  try {
    stream.reply({ ok: true, value: { bytes: stats.size } });
    stream.resume();
    if (request.length === 0) {
      stream.end();
      return;
    }
    const end = request.length === undefined ? {} : { end: request.offset + request.length - 1 };
    const from = createReadStream(path, {
      highWaterMark: 256 * 1024,
      fd: handle,
      start: request.offset,
      ...end,
      autoClose: false,
    });
    await pipeline(from, stream).catch(() => stream.destroy());
  } finally {
    await handle.close();
  }
}

/** Replaces a file by way of a temporary one beside it; a stream that ends early leaves the old one untouched. */
export async function writeFile(
  request: Request<'write'>,
  workspace: string,
  stream: MuxStream,
): Promise<void> {
  const asked = resolvePath(request.path, workspace);
  await mkdir(dirname(asked), { recursive: true });
  // Through a symbolic link the file it names is meant, as with every editor.
  const path = await realpath(asked).catch(() => asked);
  const old = await stat(path).catch(() => null);
  if (old?.isDirectory() === true) throw new RefusedError('is-directory', 'This is a directory.');
  const temporary = join(dirname(path), `.berth-${randomBytes(8).toString('hex')}`);
  const handle = await open(temporary, 'wx', 0o666);
  try {
    try {
      for await (const chunk of chunksOf(stream)) await handle.writeFile(chunk);
    } finally {
      await handle.close();
    }
    const mode = request.mode ?? (old === null ? undefined : old.mode & 0o7777);
    if (mode !== undefined) await chmod(temporary, mode);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  answer(stream);
}

export async function statFile(
  request: Request<'stat'>,
  workspace: string,
  stream: MuxStream,
): Promise<void> {
  const found = await lstat(resolvePath(request.path, workspace)).catch((error: unknown) => {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  });
  answer(stream, { stat: found === null ? null : wireStat(found) });
}

/** Streams one JSON entry per line. */
export async function listDirectory(
  request: Request<'list'>,
  workspace: string,
  stream: MuxStream,
): Promise<void> {
  const path = resolvePath(request.path, workspace);
  const directory = await opendir(path);
  stream.reply({ ok: true, value: {} });
  stream.resume();
  for await (const entry of directory) {
    const stats = await lstat(join(path, entry.name)).catch(() => null);
    if (stats === null || stream.destroyed) continue;
    if (!stream.write(`${JSON.stringify({ name: entry.name, stat: wireStat(stats) })}\n`)) {
      await new Promise<void>((resolve) => {
        stream.once('drain', resolve);
        stream.once('close', resolve);
      });
    }
  }
  stream.end();
}

export async function removePath(
  request: Request<'remove'>,
  workspace: string,
  stream: MuxStream,
): Promise<void> {
  await rm(resolvePath(request.path, workspace), { recursive: true, force: true });
  answer(stream);
}
