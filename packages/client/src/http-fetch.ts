import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { ApiFailure, unreachable } from './api-failure.ts';

/** Where a server is: a unix socket, whose permissions authenticate, or a URL with a bearer token. */
export type ServerAddress =
  | { readonly socketPath: string }
  | {
      readonly url: string;
      /** Null: nothing is sent, and the server answers only what it answers everybody. */
      readonly token: string | null;
      /** Plain http to another machine is refused unless this is true. */
      readonly isInsecureAllowed?: boolean;
    };

export type Fetch = (request: Request) => Promise<Response>;

/** What requests are addressed to; over a socket the name has no meaning but must be one the server accepts. */
export function baseUrlOf(address: ServerAddress): string {
  return 'socketPath' in address ? 'http://localhost' : address.url.replace(/\/+$/, '');
}

/**
 * `fetch` over `node:http` and `node:https`, which can speak to a unix socket and follows no redirect: a token goes to
 * the server it was given for and nowhere else. Answers stream.
 * @throws ApiFailure `SERVER_UNREACHABLE` when nobody answers, `SERVER_INSECURE`, `SERVER_REDIRECTED`; the signal's
 *   reason when aborted
 */
export function fetchOver(address: ServerAddress): Fetch {
  const origin = new URL(baseUrlOf(address)).origin;
  const shown = 'socketPath' in address ? null : origin;
  return async (request) => {
    const url = new URL(request.url);
    assertSafe(address, url, origin);
    const body = request.body === null ? null : Buffer.from(await request.arrayBuffer());
    const headers: Record<string, string> = Object.fromEntries(request.headers);
    headers['host'] = url.host;
    if (body !== null) headers['content-length'] = String(body.length);
    if ('token' in address && address.token !== null) headers['authorization'] = `Bearer ${address.token}`;
    const message = await new Promise<IncomingMessage>((resolve, reject) => {
      const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
      const outgoing = send({
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
        reject(request.signal.aborted ? (request.signal.reason as Error) : unreachable(error, shown));
      });
      outgoing.end(body ?? undefined);
    });
    const status = message.statusCode ?? 500;
    if (status >= 300 && status < 400 && status !== 304) {
      message.destroy();
      throw redirected(origin, message.headers.location);
    }
    return answerOf(message);
  };
}

function assertSafe(address: ServerAddress, url: URL, origin: string): void {
  if (url.origin !== origin) throw redirected(origin, url.origin);
  if ('socketPath' in address || url.protocol === 'https:') return;
  if (isLoopback(url.hostname) || address.isInsecureAllowed === true) return;
  throw new ApiFailure({
    code: 'SERVER_INSECURE',
    message: `${origin} is another machine, addressed over plain http: the token could be read on the way.`,
    next: 'Use https, or --insecure-http where the way is safe.',
    exit: 4,
  });
}

/** Names of this machine that no resolver is asked for. */
function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

function redirected(origin: string, to: string | undefined): ApiFailure {
  return new ApiFailure({
    code: 'SERVER_REDIRECTED',
    message: `${origin} leads to ${to ?? 'another address'}; redirects are not followed, so that no token goes astray.`,
    next: 'Give the address that it leads to with --server, if you trust it.',
    exit: 4,
  });
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
