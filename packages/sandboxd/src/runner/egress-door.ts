import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Mux } from '@berth/protocol';
import { splice } from '../splice.ts';

/** Connections that may wait or flow at once; more are closed at the door. */
const maxConnections = 200;

/**
 * Listens on loopback inside the sandbox and turns every connection into a stream of opaque bytes to the worker, which
 * speaks HTTP proxy or SOCKS on it.
 * @param port 0 takes a free one
 * @returns the port
 */
export async function openEgressDoor(port: number, mux: Mux): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    try {
      splice(socket, mux.open({ m: 'egress' }));
    } catch {
      socket.destroy();
    }
  });
  server.maxConnections = maxConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** The variables that lead programs to the door; both cases, because programs differ in which they read. */
export function proxyEnvironment(port: number): Record<string, string> {
  const proxy = `http://127.0.0.1:${port}`;
  const direct = 'localhost,127.0.0.1,::1';
  return {
    HTTP_PROXY: proxy,
    http_proxy: proxy,
    HTTPS_PROXY: proxy,
    https_proxy: proxy,
    NO_PROXY: direct,
    no_proxy: direct,
    npm_config_proxy: proxy,
    npm_config_https_proxy: proxy,
    NODE_USE_ENV_PROXY: '1',
  };
}
