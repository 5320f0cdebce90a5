import type { Duplex } from 'node:stream';

/**
 * Reads from `stream` until `enough` says so, the stream ends, or the time is up, and puts everything back, so
 * that the next reader sees the stream from its beginning. The stream must have no other reader meanwhile.
 */
export async function peek(
  stream: Duplex,
  enough: (bytes: Buffer) => boolean,
  timeoutMs: number,
): Promise<Buffer> {
  const bytes = await collect(stream, enough, timeoutMs);
  if (bytes.length > 0 && !stream.destroyed) stream.unshift(bytes);
  return bytes;
}

/** Reads exactly `size` bytes, or fewer when the stream ends or the time is up before. */
export async function take(stream: Duplex, size: number, timeoutMs: number): Promise<Buffer> {
  const bytes = await collect(stream, (soFar) => soFar.length >= size, timeoutMs);
  if (bytes.length > size && !stream.destroyed) stream.unshift(bytes.subarray(size));
  return bytes.subarray(0, size);
}

function collect(stream: Duplex, enough: (bytes: Buffer) => boolean, timeoutMs: number): Promise<Buffer> {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0);
    const done = () => {
      clearTimeout(timer);
      stream.off('readable', onReadable);
      stream.off('end', done);
      stream.off('close', done);
      resolve(bytes);
    };
    const onReadable = () => {
      for (let chunk: unknown; (chunk = stream.read()) !== null;) {
        bytes = Buffer.concat([bytes, chunk as Buffer]);
        if (enough(bytes)) return done();
      }
    };
    const timer = setTimeout(done, timeoutMs);
    if (stream.destroyed || stream.readableEnded) return done();
    stream.on('readable', onReadable);
    stream.once('end', done);
    stream.once('close', done);
    onReadable();
  });
}
