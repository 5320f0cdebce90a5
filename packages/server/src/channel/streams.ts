import { parseJson, replyShape } from '@berth/protocol';
import type { Mux, MuxStream, Shape } from '@berth/protocol';
import { BerthError } from '../domain/errors/index.ts';
import type { Clock } from '../domain/ports/clock.ts';
import { channelError, refusalError } from './refusals.ts';

/** What a channel's calls share. */
export interface ChannelLink {
  readonly mux: Mux;
  readonly clock: Clock;
}

/** A sandbox may take this long to answer a request; `du` over a large tree is the slowest. */
export const answerWithinMs = 120_000;

/**
 * Resets the stream when the sandbox is silent for too long, counted without the time this side was busy itself.
 * @returns what ends the watch
 */
export function resetWhenSilent(
  stream: MuxStream,
  clock: Clock,
  budgetMs: number,
  busyMs: () => number = () => 0,
): () => void {
  const over = new AbortController();
  const startedMs = clock.monotonicMs();
  const watch = async (): Promise<void> => {
    for (;;) {
      const leftMs = budgetMs + busyMs() - (clock.monotonicMs() - startedMs);
      if (leftMs <= 0) break;
      await clock.sleep(leftMs, over.signal);
    }
    stream.destroy(new BerthError('SANDBOX_UNREACHABLE', 'The sandbox did not answer in time.'));
  };
  watch().catch(() => {});
  return () => over.abort(new Error('no longer watched'));
}

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
export async function ask<T>(link: ChannelLink, request: unknown, value: Shape<T>): Promise<T> {
  const stream = openStream(link.mux, request);
  stream.end();
  stream.resume();
  const release = resetWhenSilent(stream, link.clock, answerWithinMs);
  try {
    return await replyOf(stream, value);
  } finally {
    release();
    endAfterAnswer(stream);
  }
}

/** Lets go of a stream whose answer came: its peer may never end it. */
function endAfterAnswer(stream: MuxStream): void {
  if (stream.destroyed) return;
  // An END that came with the answer is seen before this, and then the peer need not be told.
  setImmediate(() => stream.destroy());
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
export async function askLines<T>(link: ChannelLink, request: unknown, line: Shape<T>): Promise<T[]> {
  const stream = openStream(link.mux, request);
  stream.end();
  const release = resetWhenSilent(stream, link.clock, answerWithinMs);
  try {
    await replyOf(stream, (value) => value);
    return await linesOf(stream, line);
  } finally {
    release();
    stream.destroy();
  }
}

async function linesOf<T>(stream: MuxStream, line: Shape<T>): Promise<T[]> {
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
