import { parseJson, replyShape } from '@berth/protocol';
import type { Mux, MuxStream, Shape } from '@berth/protocol';
import { channelError, refusalError } from './refusals.ts';

/** Lists and answers that come as lines are cut off here, in bytes: a hostile sandbox can send without end. */
const maxLinesBytes = 32 * 1024 * 1024;

/** Ends the stream when the signal fires; returns what undoes that. */
export function resetOnAbort(stream: MuxStream, signal: AbortSignal | undefined): () => void {
  if (signal === undefined) return () => {};
  const stop = (): void => stream.reset('cancelled');
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  return () => signal.removeEventListener('abort', stop);
}

/** Waits for the reply and checks it. @throws BerthError */
export async function replyOf<T>(stream: MuxStream, value: Shape<T>): Promise<T> {
  try {
    const reply = parseJson(await stream.response, replyShape(value), 'reply');
    if (reply.ok) return reply.value;
    throw refusalError(reply);
  } catch (error) {
    if (!stream.destroyed) stream.destroy();
    throw channelError(error);
  }
}

/** Opens a stream, or says why not. @throws BerthError */
export function openStream(mux: Mux, request: unknown): MuxStream {
  try {
    return mux.open(request);
  } catch (error) {
    throw channelError(error);
  }
}

/** A request whose answer is its reply alone. */
export async function ask<T>(mux: Mux, request: unknown, value: Shape<T>, signal?: AbortSignal): Promise<T> {
  const stream = openStream(mux, request);
  const release = resetOnAbort(stream, signal);
  stream.end();
  stream.resume();
  try {
    return await replyOf(stream, value);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    release();
  }
}

/** Writes one chunk and waits until there is room for the next. @throws BerthError when the stream ended */
export async function writeChunk(stream: MuxStream, chunk: Uint8Array): Promise<void> {
  if (stream.destroyed) throw channelError(stream.errored);
  if (stream.write(chunk)) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
  });
}

/** A request whose answer is one JSON value per line. */
export async function askLines<T>(mux: Mux, request: unknown, line: Shape<T>): Promise<T[]> {
  const stream = openStream(mux, request);
  stream.end();
  await replyOf(stream, (value) => value);
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of stream as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > maxLinesBytes) throw new Error('too many lines');
      parts.push(part);
    }
    const lines = Buffer.concat(parts).toString('utf8').split('\n');
    return lines.filter((text) => text !== '').map((text) => line(JSON.parse(text), 'line'));
  } catch (error) {
    throw channelError(error);
  }
}
