import { request as httpRequest, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { unreachable } from './api-failure.ts';

/** Where a server is: a unix socket, whose permissions authenticate, or loopback with a bearer token. */
export type ServerAddress =
  | { readonly socketPath: string }
  | { readonly url: string; readonly token: string };

export type Fetch = (request: Request) => Promise<Response>;

/** What requests are addressed to; over a socket the name has no meaning but must be one the server accepts. */
export function baseUrlOf(address: ServerAddress): string {
  return 'socketPath' in address ? 'http://localhost' : address.url.replace(/\/+$/, '');
}

/**
 * `fetch` over `node:http`, which can speak to a unix socket. Answers stream.
 * @throws ApiFailure `SERVER_UNREACHABLE` when nobody answers; the signal's reason when aborted
 */
export function fetchOver(address: ServerAddress): Fetch {
  return async (request) => {
    const url = new URL(request.url);
    const body = request.body === null ? null : Buffer.from(await request.arrayBuffer());
    const headers: Record<string, string> = Object.fromEntries(request.headers);
    headers['host'] = url.host;
    if (body !== null) headers['content-length'] = String(body.length);
    if ('token' in address) headers['authorization'] = `Bearer ${address.token}`;
    const message = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = httpRequest({
        ...('socketPath' in address
          ? { socketPath: address.socketPath }
          : { hostname: url.hostname.replace(/^\[|\]$/g, ''), port: url.port }),
        path: url.pathname + url.search,
        method: request.method,
        headers,
        signal: request.signal,
        agent: false,
      });
      outgoing.once('response', resolve);
      outgoing.on('error', (error) => {
        reject(request.signal.aborted ? (request.signal.reason as Error) : unreachable(error));
      });
      outgoing.end(body ?? undefined);
    });
    return answerOf(message);
  };
}

function answerOf(message: IncomingMessage): Response {
  const headers = new Headers();
  for (let place = 0; place < message.rawHeaders.length; place += 2) {
    headers.append(message.rawHeaders[place]!, message.rawHeaders[place + 1]!);
  }
  const status = message.statusCode ?? 500;
  const empty = status === 204 || status === 304;
  if (empty) message.resume();
  const body = empty ? null : (Readable.toWeb(message) as unknown as ReadableStream<Uint8Array>);
  return new Response(body, { status, headers });
}
