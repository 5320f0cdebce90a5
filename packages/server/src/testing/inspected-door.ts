import { randomBytes } from 'node:crypto';
import { createServer as createHttp1Server } from 'node:https';
import {
  createSecureServer,
  connect as connectHttp2,
  type ClientHttp2Session,
  type Http2SecureServer,
} from 'node:http2';
import { request as httpRequest, type IncomingMessage, type RequestListener } from 'node:http';
import {
  type AddressInfo,
  connect as netConnect,
  createServer as createNetServer,
  type Server,
  type Socket,
} from 'node:net';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import { afterAll } from 'vitest';
import type { BrokeredCredential, CredentialBroker } from '../domain/egress.ts';
import { createEgressAuthority } from '../egress/authority.ts';
import type { EgressDoor } from '../egress/door.ts';
import { connectTo } from './egress-door.ts';
import { makeCertificate, readUntil } from './egress-world.ts';

export const realClock = {
  nowMs: Date.now,
  monotonicMs: () => performance.now(),
  sleep: async () => {},
};
/** Of the servers of these tests; the worker is told to believe it. */
export const serverCertificate = makeCertificate(['allowed.example', 'other.example']);
export const authority = createEgressAuthority(randomBytes(32), 'sandbox-1', realClock);
/** What a door of these tests needs beside its rules. */
export const inspecting = { authority, trusted: [serverCertificate.cert] };

const open = new Set<Server>();
afterAll(() => {
  for (const server of open) server.close();
});

/** Listens on loopback until the tests of the file are over. */
export async function listening(server: Server): Promise<number> {
  open.add(server);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  server.unref();
  return (server.address() as AddressInfo).port;
}

/** A server that speaks HTTP/1.1 alone. */
export function http1Server(handle: RequestListener): ReturnType<typeof createHttp1Server> {
  return createHttp1Server({ ...serverCertificate, keepAliveTimeout: 0 }, handle);
}

/** A server that speaks HTTP/2 alone. */
export function http2Server(): Http2SecureServer {
  return createSecureServer({ ...serverCertificate, allowHTTP1: false });
}

/** A connection from inside over a real socket: Node's HTTP/2 client is not reliable over anything else. */
async function knockBySocket(door: EgressDoor, text: string): Promise<Socket> {
  const entrance = createNetServer({ noDelay: true }, (socket) => door.accept(socket));
  const inside = netConnect({ port: await listening(entrance), host: '127.0.0.1', noDelay: true });
  inside.on('error', () => undefined);
  inside.write(text);
  return inside;
}

/** A tunnel through the door, with TLS that trusts the sandbox's authority. */
export async function through(
  door: EgressDoor,
  host: string,
  port: number,
  options: {
    readonly protocols?: readonly string[];
    readonly servername?: string;
    readonly ca?: string;
  } = {},
): Promise<TLSSocket> {
  const inside = await knockBySocket(door, connectTo(`${host}:${port}`));
  const said = await readUntil(inside, '\r\n\r\n');
  if (!said.includes(' 200 ')) throw new Error(said);
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({
      socket: inside,
      servername: options.servername ?? host,
      ca: options.ca ?? authority.certificate,
      ...(options.protocols === undefined ? {} : { ALPNProtocols: [...options.protocols] }),
    });
    socket.once('secureConnect', () => resolve(socket));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
    socket.on('error', () => undefined);
  });
}

/** An HTTP/2 client through the door. */
export async function http2Through(
  door: EgressDoor,
  host: string,
  port: number,
): Promise<ClientHttp2Session> {
  const socket = await through(door, host, port, { protocols: ['h2'] });
  const session = connectHttp2(`https://${host}:${port}`, { createConnection: () => socket });
  session.on('error', () => undefined);
  return session;
}

/** One request on a connection of its own; resolves with the answer and its body. */
export async function ask(
  socket: TLSSocket,
  options: { path?: string; method?: string; host: string; headers?: Record<string, string>; body?: string },
): Promise<{ readonly status: number; readonly headers: IncomingMessage['headers']; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      createConnection: () => socket,
      path: options.path ?? '/',
      method: options.method ?? 'GET',
      headers: { host: options.host, connection: 'close', ...options.headers },
    });
    request.once('error', reject);
    request.once('response', (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.once('error', reject);
      response.once('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(parts).toString('latin1'),
        }),
      );
    });
    request.end(options.body);
  });
}

/** A broker with fixed values, which a test can change. */
export function brokerOf(
  credentials: readonly BrokeredCredential[],
  values: Map<string, string>,
): CredentialBroker {
  return {
    list: () => credentials,
    value: (name) => {
      const value = values.get(name);
      return value === undefined ? Promise.reject(new Error('gone')) : Promise.resolve(value);
    },
  };
}
