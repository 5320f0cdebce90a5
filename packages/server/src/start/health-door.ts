import { createServer } from 'node:http';
import { once } from 'node:events';
import type { TcpAddress } from '../api/listen-address.ts';
import { urlOf } from '../api/listen-address.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { Health } from '../domain/ports/health.ts';

/** `/healthz` and `/readyz` for a process that has no API: what a supervisor asks, and nothing else. */
export async function openHealthDoor(
  address: TcpAddress,
  health: Health,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const send = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
      response.end(JSON.stringify(body));
    };
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET' || (path !== '/healthz' && path !== '/readyz')) {
      send(404, { code: 'NOT_FOUND' });
      return;
    }
    Promise.resolve(path === '/healthz' ? health.live() : health.ready()).then(
      (report) => send(report.ok ? 200 : 503, report),
      () => send(503, { ok: false, checks: [] }),
    );
  });
  server.requestTimeout = 5_000;
  server.maxConnections = 64;
  server.listen(address.port, address.host);
  await once(server, 'listening').catch((error: unknown) => {
    throw new BerthError('PORT_TAKEN', `${address.host}:${address.port} cannot be listened on.`, {
      cause: error,
    });
  });
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port;
  return {
    url: urlOf({ host: address.host, port }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
