import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An HTTP server on loopback whose every answer is in the test's hand; ends with `await using`. */
export async function rawServer(
  handle: (request: IncomingMessage, response: ServerResponse, body: string) => void,
): Promise<{ readonly url: string } & AsyncDisposable> {
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => handle(request, response, body));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

/** Writes server-sent events; each item is the JSON of one event (with its type as event name) or raw text. */
export function sendEvents(response: ServerResponse, events: readonly (string | object)[]): void {
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const event of events) {
    const type =
      typeof event === 'object' && 'type' in event && typeof event.type === 'string'
        ? `event: ${event.type}\n`
        : '';
    response.write(typeof event === 'string' ? event : `${type}data: ${JSON.stringify(event)}\n\n`);
  }
}

/** The URL of a port on loopback where nobody listens any more. */
export async function closedServer(): Promise<string> {
  const server = await rawServer(() => undefined);
  await server[Symbol.asyncDispose]();
  return server.url;
}
