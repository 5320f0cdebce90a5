import {
  callExitShape,
  chunksOf,
  emptyShape,
  flag,
  limits,
  object,
  parseJson,
  RecordDecoder,
} from '@berth/protocol';
import type { CallExit, Mux, MuxStream } from '@berth/protocol';
import { BerthError } from '../domain/errors/index.ts';
import type { ExecOptions, ExecResult } from '../domain/ports/sandbox.ts';
import { channelError, refusalError } from './refusals.ts';
import { ask, replyOf, resetOnAbort } from './streams.ts';

const execAnswer = object({ attached: flag });

/**
 * Reads the output of a call to its end. Each chunk waits for `onOutput`, and what it took is acknowledged every
 * 256 KiB; the rest stays in the sandbox for whoever attaches next.
 */
export async function followOutput(
  mux: Mux,
  id: string,
  stream: MuxStream,
  options: ExecOptions,
): Promise<ExecResult> {
  const release = resetOnAbort(stream, options.signal);
  try {
    await replyOf(stream, execAnswer);
    return await readRecords(mux, id, stream, options);
  } catch (error) {
    options.signal.throwIfAborted();
    if (mux.isClosed) return { kind: 'lost', what: 'sandbox' };
    throw error;
  } finally {
    release();
    stream.destroy();
  }
}

async function readRecords(
  mux: Mux,
  id: string,
  stream: MuxStream,
  options: ExecOptions,
): Promise<ExecResult> {
  const decoder = new RecordDecoder(options.fromOffset ?? 0);
  let acknowledged = options.fromOffset ?? 0;
  for await (const chunk of outputOf(stream)) {
    for (const record of decodeAll(decoder, chunk)) {
      options.signal.throwIfAborted();
      switch (record.kind) {
        case 'stdout':
        case 'stderr': {
          const { kind: from, offset, nextOffset, data } = record;
          await options.onOutput?.({ stream: from, offset, nextOffset, data });
          break;
        }
        case 'truncated':
          break;
        case 'exit':
          return resultOf(parseExit(record.data));
      }
      if (record.nextOffset - acknowledged >= limits.ackEveryBytes) {
        acknowledged = record.nextOffset;
        ask(mux, { m: 'ack', id, offset: acknowledged }, emptyShape).catch(() => {});
      }
    }
  }
  throw new BerthError('SANDBOX_LOST', 'The sandbox ended the output of a command without its end.');
}

async function* outputOf(stream: MuxStream): AsyncGenerator<Buffer> {
  try {
    yield* chunksOf(stream);
  } catch (error) {
    throw channelError(error);
  }
}

function* decodeAll(decoder: RecordDecoder, chunk: Buffer): ReturnType<RecordDecoder['push']> {
  try {
    yield* decoder.push(chunk);
  } catch (error) {
    throw channelError(error);
  }
}

function parseExit(payload: Buffer): CallExit {
  try {
    return parseJson(payload, callExitShape, 'exit');
  } catch (error) {
    throw channelError(error);
  }
}

function resultOf(exit: CallExit): ExecResult {
  if (exit.kind === 'failed') throw failure(exit);
  return exit;
}

function failure(exit: Extract<CallExit, { kind: 'failed' }>): BerthError {
  const { sentence } = exit;
  switch (exit.code) {
    case 'pty-unavailable':
    case 'runner-unavailable':
      return refusalError({ code: exit.code, sentence });
    default:
      return new BerthError('EXEC_REFUSED', 'The command could not be started.', {
        details: { said: sentence },
      });
  }
}
