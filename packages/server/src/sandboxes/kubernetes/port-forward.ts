import { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { Credentials } from './connection.ts';
import { ApiFailure } from './api-failure.ts';
import type { Reach } from './reach.ts';

/** One byte in front of each message: bytes of the connection, or what went wrong with it. */
const stream = { data: 0, error: 1 } as const;
const subprotocol = 'v4.channel.k8s.io';
/** The server begins each of its two streams with the port's number. */
const portBytes = 2;
/** More than this waiting to be sent, and the writer waits too. */
const sendAheadBytes = 1024 * 1024;

/** From outside the cluster: through the API server and the node of the pod (`pods/portforward`). */
export function reachByPortForward(credentials: Credentials, namespace: string): Reach {
  return async ({ name, port }, signal) => {
    const options = await credentials.options();
    signal.throwIfAborted();
    const url = new URL(credentials.server);
    url.protocol = 'wss:';
    const base = url.pathname.replace(/\/$/, '');
    url.pathname = `${base}/api/v1/namespaces/${namespace}/pods/${encodeURIComponent(name)}/portforward`;
    url.search = `ports=${port}`;
    const { agent: _agent, ...rest } = options;
    const socket = new WebSocket(url, [subprotocol], {
      ...(rest as object),
      ...(isProxied(options.agent) ? { agent: options.agent } : tlsOf(options.agent)),
      perMessageDeflate: false,
      followRedirects: false,
    });
    return await opened(socket, signal);
  };
}

/** An agent that keeps connections would not be asked for one that becomes a WebSocket: its TLS settings are. */
function tlsOf(agent: unknown): object {
  const { options } = (agent ?? {}) as { readonly options?: Readonly<Record<string, unknown>> };
  const names = ['ca', 'cert', 'key', 'rejectUnauthorized', 'servername'] as const;
  return Object.fromEntries(
    names.flatMap((name) => (options?.[name] === undefined ? [] : [[name, options[name]]])),
  );
}

function isProxied(agent: unknown): agent is NonNullable<Parameters<typeof Object.assign>[0]> {
  return agent !== null && typeof agent === 'object' && 'proxy' in agent;
}

function opened(socket: WebSocket, signal: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      signal.removeEventListener('abort', stop);
      socket.on('error', () => undefined);
      socket.terminate();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const stop = (): void => fail(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    socket.once('error', fail);
    socket.once('unexpected-response', (_request, answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => (text = (text + chunk.toString('utf8')).slice(0, 4_096)));
      answer.on('end', () =>
        fail(new ApiFailure({ status: answer.statusCode ?? 0, text, retryAfter: null })),
      );
      answer.on('error', fail);
    });
    socket.once('open', () => {
      signal.removeEventListener('abort', stop);
      socket.off('error', fail);
      resolve(duplexOf(socket));
    });
  });
}

function duplexOf(socket: WebSocket): Duplex {
  const toSkip = new Map<number, number>([
    [stream.data, portBytes],
    [stream.error, portBytes],
  ]);
  const duplex = new Duplex({
    read: () => socket.resume(),
    write(chunk: Buffer, _encoding, done) {
      if (socket.readyState !== WebSocket.OPEN) return done(new Error('the port-forward is closed'));
      const sent = (error?: Error): void => done(error ?? null);
      if (socket.bufferedAmount < sendAheadBytes) {
        socket.send(framed(chunk), (error) => error && duplex.destroy(error));
        done();
      } else socket.send(framed(chunk), sent);
    },
    final(done) {
      socket.close();
      done();
    },
    destroy(error, done) {
      socket.terminate();
      done(error);
    },
  });
  socket.on('message', (data: Buffer) => {
    const channel = data[0] ?? -1;
    const skip = Math.min(toSkip.get(channel) ?? 0, data.length - 1);
    toSkip.set(channel, (toSkip.get(channel) ?? 0) - skip);
    const bytes = data.subarray(1 + skip);
    if (bytes.length === 0) return;
    if (channel === stream.error)
      duplex.destroy(new Error(`port-forward: ${bytes.toString('utf8').slice(0, 300)}`));
    else if (channel === stream.data && !duplex.push(bytes)) socket.pause();
  });
  socket.on('error', (error) => duplex.destroy(error));
  socket.on('close', () => duplex.push(null));
  return duplex;
}

function framed(chunk: Buffer): Buffer {
  return Buffer.concat([Buffer.of(stream.data), chunk]);
}
