import type { ClientRequest, IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { join } from './connections.ts';
import { EchoFilter, withoutEcho } from './echo-filter.ts';
import type { Passing } from './inspection.ts';
import type { EgressLimits } from './limits.ts';

/**
 * Waits for the server to switch to WebSocket and joins both sides until they end. What passes then is no HTTP any more
 * and is not read, except that a credential on the request is kept from coming back.
 * @returns null after that, or the status of an answer that did not switch
 */
export async function switchProtocols(
  upstream: ClientRequest,
  inside: Duplex,
  head: Buffer,
  { echo }: Passing,
  limits: EgressLimits,
  signal: AbortSignal,
): Promise<number | null> {
  const switched = await new Promise<
    { readonly answer: IncomingMessage; readonly socket: Duplex; readonly rest: Buffer } | number
  >((resolve, reject) => {
    upstream.once('upgrade', (answered, socket, rest) => resolve({ answer: answered, socket, rest }));
    upstream.once('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 502);
    });
    upstream.on('error', reject);
    upstream.once('close', () => reject(new Error('the server closed the connection')));
  });
  if (typeof switched === 'number') return switched;
  const { answer, socket, rest } = switched;
  if (answer.headers.upgrade?.toLowerCase() !== 'websocket') {
    socket.destroy();
    throw new Error('the server switched to something that is no WebSocket');
  }
  const clean = echo === null ? null : withoutEcho(answer.rawHeaders, echo.forms);
  if (clean?.found === true) echo?.onFound();
  const raw = clean?.headers ?? answer.rawHeaders;
  const lines = ['HTTP/1.1 101 Switching Protocols'];
  for (let at = 0; at + 1 < raw.length; at += 2) lines.push(`${raw[at]}: ${raw[at + 1]}`);
  inside.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  if (head.length > 0) inside.unshift(head);
  if (rest.length > 0) socket.unshift(rest);
  const stop = (): void => {
    inside.destroy();
    socket.destroy();
  };
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const outside =
    echo === null
      ? socket
      : Duplex.from({ readable: socket.pipe(new EchoFilter(echo.forms, echo.onFound)), writable: socket });
  await join(inside, outside, limits.idleTimeoutMs);
  signal.removeEventListener('abort', stop);
  // Destroying what stands in front of it does not end the connection.
  socket.destroy();
  return null;
}
