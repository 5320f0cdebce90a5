import type { Duplex } from 'node:stream';
import { MuxStream } from './mux-stream.ts';

/** Smaller chunks share memory with others, or are not worth the call. */
const worthBytes = 4 * 1024;

/**
 * Gives the memory of a chunk back at once instead of leaving it to the collector: chunks are memory outside its heap, and
 * each 32 MiB of them makes it mark the whole heap. With a heap of 15 MiB that was a third of the processor time of an
 * inspected download. Nobody may look at the chunk afterwards. Memory that other chunks may share is left alone.
 */
export function release(chunk: Buffer): void {
  const { buffer, byteOffset, length } = chunk;
  if (length < worthBytes || byteOffset !== 0 || buffer.byteLength !== length) return;
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/**
 * `from.pipe(to)` for streams whose chunks nobody else keeps: what was written is released. `onChunk` is told of each.
 */
export function pour(from: Duplex, to: Duplex, onChunk?: (bytes: number) => void): void {
  const releases = to instanceof MuxStream;
  if (releases) to.releasesChunks = true;
  from.on('data', (chunk: Buffer) => {
    onChunk?.(chunk.length);
    if (to.destroyed || to.writableEnded) return;
    const goesOn = releases
      ? to.write(chunk)
      : to.write(chunk, (error) => {
          if (error === null || error === undefined) release(chunk);
        });
    if (!goesOn) from.pause();
  });
  to.on('drain', () => from.resume());
  from.once('end', () => to.end());
}
