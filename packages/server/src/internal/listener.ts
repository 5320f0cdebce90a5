import { once } from 'node:events';
import { createServer } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { WebSocketServer, type WebSocket } from 'ws';
import { BerthError } from '../domain/errors/index.ts';
import type { Health } from '../domain/ports/health.ts';
import { type Log, silentLog } from '../telemetry/log.ts';
import { type Authority, certificateLifeMs, type InternalName, nameIn } from './authority.ts';

/** Longest message of a peer, in bytes. */
export const maxMessageBytes = 128 * 1024;
const maxConnections = 4_096;

/** What is served to an API replica: one WebSocket per stream. */
export type InternalRoute = (socket: WebSocket, query: URLSearchParams, peer: InternalName) => void;

export interface InternalListener {
  readonly port: number;
  /** Answers under this name from now on: the id of the worker's present lease. */
  become(name: InternalName): void;
  close(): Promise<void>;
}

/**
 * Listens for the other processes of this installation: TLS 1.3, both sides with a certificate of its authority. Only
 * API replicas are served, and nothing but the internal routes and the health of the process.
 */
export async function listenInternally(options: {
  readonly authority: Authority;
  readonly host: string;
  readonly port: number;
  readonly routes: Readonly<Record<string, InternalRoute>>;
  readonly health?: Health;
  readonly log?: Log;
}): Promise<InternalListener> {
  const { authority, routes, health, log = silentLog } = options;
  let name: InternalName = { role: 'worker', id: 'starting' };
  const credentials = (): object => ({
    ...authority.issue(name),
    ca: authority.ca,
    minVersion: 'TLSv1.3',
  });
  const server = createServer(
    { ...credentials(), requestCert: true, rejectUnauthorized: true, handshakeTimeout: 5_000 },
    (request, response) => {
      const path = request.url?.split('?')[0];
      const isHealth = path === '/healthz' || path === '/readyz';
      if (health === undefined || !isHealth || peerOf(request.socket as TLSSocket) === null) {
        response.writeHead(404).end();
        return;
      }
      Promise.resolve(path === '/healthz' ? health.live() : health.ready()).then(
        (report) => {
          response.writeHead(report.ok ? 200 : 503, { 'content-type': 'application/json' });
          response.end(JSON.stringify(report));
        },
        () => response.writeHead(503).end(),
      );
    },
  );
  server.maxConnections = maxConnections;
  server.requestTimeout = 5_000;
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: maxMessageBytes,
    perMessageDeflate: false,
  });
  server.on('upgrade', (request, socket, head) => {
    const peer = peerOf(request.socket as TLSSocket);
    const url = new URL(request.url ?? '/', 'https://internal');
    const route = Object.hasOwn(routes, url.pathname) ? routes[url.pathname] : undefined;
    socket.on('error', () => socket.destroy());
    if (peer?.role !== 'api' || route === undefined) {
      log.warn('internal request refused', { path: url.pathname, peer: peer?.id ?? null });
      socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (stream) => {
      stream.on('error', () => stream.terminate());
      route(stream, url.searchParams, peer);
    });
  });
  server.on('tlsClientError', (error) => {
    log.warn('internal connection refused', { reason: error.message });
  });
  server.listen(options.port, options.host);
  await once(server, 'listening').catch((error: unknown) => {
    throw new BerthError(
      'PORT_TAKEN',
      `The internal address ${options.host}:${options.port} cannot be listened on.`,
      {
        cause: error,
      },
    );
  });
  const renew = (): void => server.setSecureContext(credentials());
  const rotation = setInterval(renew, certificateLifeMs / 2);
  rotation.unref();
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : options.port,
    become(next) {
      name = next;
      renew();
    },
    close: () =>
      new Promise((resolve) => {
        clearInterval(rotation);
        // 1012: the service restarts; whoever asks comes again, to whoever then owns the run.
        for (const stream of sockets.clients) stream.close(1012, 'stopping');
        server.close(() => resolve());
        setTimeout(() => {
          for (const stream of sockets.clients) stream.terminate();
          server.closeAllConnections();
        }, 200).unref();
      }),
  };
}

/** Who is at the other end, by the certificate that was verified; null: nobody we know. */
function peerOf(socket: TLSSocket): InternalName | null {
  return socket.authorized ? nameIn(socket.getPeerCertificate().subjectaltname) : null;
}
