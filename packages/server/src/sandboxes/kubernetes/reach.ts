import { createConnection } from 'node:net';
import type { Duplex } from 'node:stream';

/** Opens TCP to sandboxd in a pod. */
export type Reach = (
  pod: { readonly name: string; readonly address: string; readonly port: number },
  signal: AbortSignal,
) => Promise<Duplex>;

/** From inside the cluster: the pod's own address. */
export const reachByAddress: Reach = ({ address, port }, signal) =>
  new Promise((resolve, reject) => {
    const socket = createConnection({ host: address, port, noDelay: true });
    const stop = (): void => {
      socket.destroy();
      reject(signal.reason);
    };
    signal.addEventListener('abort', stop, { once: true });
    socket.once('connect', () => {
      signal.removeEventListener('abort', stop);
      // A node that is gone sends no FIN; the channel's own pings find that sooner.
      socket.setKeepAlive(true, 30_000);
      resolve(socket);
    });
    socket.once('error', (error) => {
      signal.removeEventListener('abort', stop);
      reject(error);
    });
  });
