import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { release } from '@berth/protocol';

/**
 * Carries the body of an answer to the sandbox as `pipeline` does, and gives the memory of what passed back at once: a
 * download makes twice its size of chunks otherwise (what TLS read, and the parser's copy of it). The answer is not ended.
 * Rejects when the server or the sandbox broke off, or with the signal's reason.
 */
export function sendBody(
  incoming: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const over = (error?: Error): void => {
      signal.removeEventListener('abort', stop);
      response.off('close', cut).off('error', over).off('drain', more);
      incoming.off('data', pass).off('end', over).off('error', over).off('close', cut);
      if (error === undefined) return resolve();
      incoming.destroy();
      response.destroy();
      reject(error);
    };
    const stop = (): void => over(signal.reason as Error);
    const cut = (): void => over(new Error('the connection was cut'));
    const more = (): void => void incoming.resume();
    const pass = (chunk: Buffer): void => {
      const goesOn = response.write(chunk, (error) => {
        if (error === null || error === undefined) release(chunk);
      });
      if (!goesOn) incoming.pause();
    };
    signal.addEventListener('abort', stop, { once: true });
    response.on('close', cut).on('error', over).on('drain', more);
    incoming
      .on('data', pass)
      .on('end', () => over())
      .on('error', over)
      .on('close', cut);
    if (signal.aborted) stop();
    else if (response.destroyed || incoming.destroyed) cut();
  });
}

/** The parser copies what belongs to a body, so that what it was read from can go after each chunk. */
export function releaseParsed(upstream: ClientRequest): void {
  const parsed = (chunk: Buffer): void => queueMicrotask(() => release(chunk));
  upstream.once('socket', (socket: Socket) => {
    socket.on('data', parsed);
    upstream.once('close', () => socket.off('data', parsed));
    // What follows an upgrade is handed on as it was read.
    upstream.once('upgrade', () => socket.off('data', parsed));
  });
}
