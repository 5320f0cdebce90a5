import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { join } from './connections.ts';
import { endToEndHeaders } from './forward.ts';
import { UpstreamError } from './upstream.ts';

/** Carries the body up and the answer down. */
export async function exchange(
  request: IncomingMessage,
  upstream: ClientRequest,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    upstream.once('response', resolve);
    upstream.once('error', reject);
    upstream.once('upgrade', (_, socket: Duplex) => {
      socket.destroy();
      reject(new UpstreamError('unreachable', 'it switched protocols without being asked'));
    });
  });
  // The body may outlive the answer, and the answer the body.
  const sent = pipeline(request, upstream, { signal }).catch((error: unknown) => error);
  const incoming = await answered;
  response.writeHead(
    incoming.statusCode ?? 502,
    incoming.statusMessage,
    endToEndHeaders(incoming.rawHeaders, incoming.headers.connection),
  );
  await pipeline(incoming, response, { signal });
  if (!request.readableEnded) request.destroy();
  await sent;
}

/** Switches protocols on both sides and joins them. */
export async function upgrade(
  upstream: ClientRequest,
  stream: Duplex,
  head: Buffer,
  idleTimeoutMs: number,
  refuse: (status: number, reason: string) => void,
): Promise<void> {
  const switched = await new Promise<{ answer: IncomingMessage; socket: Duplex; rest: Buffer } | number>(
    (resolve, reject) => {
      upstream.once('upgrade', (answered, socket, rest) => resolve({ answer: answered, socket, rest }));
      upstream.once('response', (response) => {
        response.resume();
        resolve(response.statusCode ?? 502);
      });
      upstream.once('error', reject);
      upstream.end();
    },
  );
  if (typeof switched === 'number') return refuse(502, `the server answered ${switched} to the upgrade`);
  const lines = [`HTTP/1.1 101 ${switched.answer.statusMessage ?? ''}`];
  const raw = switched.answer.rawHeaders;
  for (let at = 0; at + 1 < raw.length; at += 2) lines.push(`${raw[at]}: ${raw[at + 1]}`);
  stream.write(`${lines.join('\r\n')}\r\n\r\n`);
  if (head.length > 0) stream.unshift(head);
  if (switched.rest.length > 0) switched.socket.unshift(switched.rest);
  await join(stream, switched.socket, idleTimeoutMs);
}
