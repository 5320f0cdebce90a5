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
import type { CallExit, MuxStream } from '@berth/protocol';
import { BerthError } from '../domain/errors/index.ts';
import type { ExecOptions, ExecResult } from '../domain/ports/sandbox.ts';
import { channelError, refusalError } from './refusals.ts';
import { ask, replyOf, resetOnAbort, resetWhenSilent } from './streams.ts';
import type { ChannelLink } from './streams.ts';

const execAnswer = object({ attached: flag });

/** A call that has not ended this long after its time-out is not believed any more. */
const overdueMs = 60_000;

export interface FollowedCall {
  readonly id: string;
  readonly timeoutMs: number;
  /** Whether output that was taken is acknowledged, every 256 KiB, and so given up in the sandbox. */
  readonly giveUp: boolean;
}

/**
 * Reads the output of a call to its end; each chunk waits for `onOutput`. Output that is bounded (`truncate`) stays in the
 * sandbox, so that whoever attaches next can read it from the beginning; of a call that waits for its reader
 * (`block`) only the rest does.
 */
export async function followOutput(
  link: ChannelLink,
  call: FollowedCall,
  stream: MuxStream,
  options: ExecOptions,
): Promise<ExecResult> {
  const busy = { ms: 0 };
  const releaseAbort = resetOnAbort(stream, options.signal);
  const releaseWatch = resetWhenSilent(stream, link.clock, call.timeoutMs + overdueMs, () => busy.ms);
  try {
    await replyOf(stream, execAnswer);
    return await readRecords(link, call, stream, options, busy);
  } catch (error) {
    options.signal.throwIfAborted();
    if (link.mux.isClosed && isLoss(error)) return { kind: 'lost', what: 'sandbox' };
    throw error;
  } finally {
    releaseAbort();
    releaseWatch();
    stream.destroy();
  }
}

function isLoss(error: unknown): boolean {
  return error instanceof BerthError && error.code === 'SANDBOX_LOST';
}

async function readRecords(
  link: ChannelLink,
  call: FollowedCall,
  stream: MuxStream,
  options: ExecOptions,
  busy: { ms: number },
): Promise<ExecResult> {
  const decoder = new RecordDecoder(options.fromOffset ?? 0);
  let acknowledged = options.fromOffset ?? 0;
  for await (const chunk of outputOf(stream)) {
    for (const record of decodeAll(decoder, chunk)) {
      options.signal.throwIfAborted();
      if (record.kind === 'exit') return resultOf(parseExit(record.data));
      if (record.kind === 'truncated') continue;
      const { kind: from, offset, nextOffset, data } = record;
      const startedMs = link.clock.monotonicMs();
      await options.onOutput?.({ stream: from, offset, nextOffset, data });
      busy.ms += link.clock.monotonicMs() - startedMs;
      if (!call.giveUp || nextOffset - acknowledged < limits.ackEveryBytes) continue;
      acknowledged = nextOffset;
      ask(link, { m: 'ack', id: call.id, offset: nextOffset }, emptyShape).catch(() => {});
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
    case 'network-open':
      return refusalError({ code: exit.code, sentence });
    default:
      return new BerthError('EXEC_REFUSED', 'The command could not be started.', {
        details: { said: sentence },
      });
  }
}
