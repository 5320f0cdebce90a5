import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A provider that takes every request and never answers. */
export interface SilentModel {
  /** For `startServer`: this model, at a price of nothing. */
  readonly env: Readonly<Record<string, string>>;
  /** Requests whose body has arrived. */
  readonly requests: () => number;
  readonly onRequest: (listener: () => void) => void;
  close(): Promise<void>;
}

/** Speaks (or rather keeps silent) as an OpenAI-compatible server on loopback. */
export async function startSilentModel(): Promise<SilentModel> {
  let requests = 0;
  let listener: () => void = () => undefined;
  const server: Server = createServer((request) => {
    request.resume();
    request.once('end', () => {
      requests += 1;
      listener();
    });
  });
  server.requestTimeout = 0;
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', 4_096, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    env: {
      BERTH_BASE_URL: `http://127.0.0.1:${port}/v1`,
      BERTH_MODEL: 'silent',
      BERTH_MODEL_PRICE: 'flat',
    },
    requests: () => requests,
    onRequest: (next) => {
      listener = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
