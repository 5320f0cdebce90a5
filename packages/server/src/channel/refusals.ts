import type { Refusal, RefusalCode } from '@berth/protocol';
import { ChannelClosedError, networkOpenWords, StreamResetError } from '@berth/protocol';
import { BerthError } from '../domain/errors/index.ts';
import type { ErrorCode } from '../domain/errors/index.ts';

const codes: Readonly<Record<RefusalCode, ErrorCode>> = {
  'bad-request': 'EXEC_REFUSED',
  'not-found': 'FILE_NOT_FOUND',
  denied: 'FILE_REFUSED',
  exists: 'FILE_REFUSED',
  'is-directory': 'FILE_REFUSED',
  'not-directory': 'FILE_REFUSED',
  'no-space': 'SANDBOX_DISK_FULL',
  'too-large': 'FILE_REFUSED',
  io: 'FILE_REFUSED',
  'unknown-call': 'EXEC_UNKNOWN',
  'hash-mismatch': 'EXEC_ID_REUSED',
  gone: 'EXEC_OUTPUT_GONE',
  'runner-unavailable': 'RUNNER_UNAVAILABLE',
  'pty-unavailable': 'PTY_UNAVAILABLE',
  'too-many-calls': 'EXEC_REFUSED',
  'network-open': 'SANDBOX_NETWORK_OPEN',
  refused: 'EXEC_REFUSED',
};

/** What the sandbox refused, as an error of the registry. Its sentence is data from inside: shortened, never trusted. */
export function refusalError(refusal: Pick<Refusal, 'code' | 'sentence'>): BerthError {
  const code = codes[refusal.code];
  const said = refusal.sentence.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ').slice(0, 500);
  if (refusal.code === 'network-open') return networkOpenError(openNetworkIn(said) ?? said);
  return new BerthError(code, undefined, { details: { said, refusal: refusal.code } });
}

/** An error of a stream or channel as one of the registry; errors that already are pass through. */
export function channelError(error: unknown): BerthError {
  if (error instanceof BerthError) return error;
  if (error instanceof ChannelClosedError) return new BerthError('SANDBOX_LOST', undefined, { cause: error });
  if (error instanceof StreamResetError) {
    return new BerthError('RUNNER_UNAVAILABLE', 'The sandbox ended the operation.', { cause: error });
  }
  return new BerthError('SANDBOX_LOST', 'The sandbox sent something that makes no sense.', { cause: error });
}

/** What was reached, when a channel ended because the network gate was found open; shortened data from inside. */
export function openNetworkIn(reason: string): string | null {
  const at = reason.indexOf(networkOpenWords);
  if (at === -1) return null;
  const said = reason.slice(at + networkOpenWords.length);
  return said.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 500);
}

export function networkOpenError(reached: string, cause?: unknown): BerthError {
  return new BerthError('SANDBOX_NETWORK_OPEN', `The sandbox can reach what it must not: ${reached}.`, {
    cause,
    details: { reached },
  });
}
