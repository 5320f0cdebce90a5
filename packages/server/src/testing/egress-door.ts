import type { Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { afterAll, afterEach } from 'vitest';
import type { EgressDecision, EgressRule } from '../domain/egress.ts';
import { httpServer, httpsServer, listen, makeCertificate, pipePair } from './egress-world.ts';
import { createEgressDoor, type EgressDoor, type EgressDoorOptions } from '../egress/door.ts';
import type { EcosystemSource } from '../egress/ecosystems.ts';
import { defaultRefusedRanges } from '../egress/special-ranges.ts';

/** One certificate for both names: what keeps them apart is the door, not TLS. */
const { key, cert } = makeCertificate(['allowed.example', 'other.example']);
export { cert };
/** Servers to close at the end; tests add theirs. */
export const open = new Set<Server>();
/** The requests that reached the plain server in this test. */
export const seen: Array<{
  method: string;
  url: string;
  headers: NodeJS.Dict<string | string[]>;
  raw: string[];
  body: string;
}> = [];

const secure = httpsServer({ key, cert }, (request, response) =>
  response.end(`secure ${request.headers.host}`),
);
const plain = httpServer((request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString()));
  request.on('end', () => {
    seen.push({
      method: request.method!,
      url: request.url!,
      headers: request.headers,
      raw: request.rawHeaders,
      body,
    });
    if (request.url === '/away') response.writeHead(302, { location: 'http://internal.example/' }).end();
    else if (request.url === '/silent') return;
    else response.end(`plain ${request.url}`);
  });
});
plain.on('upgrade', (request, socket: Duplex) => {
  seen.push({
    method: 'UPGRADE',
    url: request.url!,
    headers: request.headers,
    raw: request.rawHeaders,
    body: '',
  });
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
  socket.on('data', (chunk: Buffer) => socket.write(`echo ${chunk.toString()}`));
  socket.on('error', () => {});
});
for (const server of [secure, plain]) open.add(server);
/** A TLS server on loopback that answers with its Host. */
export const tlsPort = await listen(secure);
/** A plain server on loopback that records what it was asked. */
export const plainPort = await listen(plain);
afterAll(() => {
  for (const server of open) {
    server.closeAllConnections();
    server.close();
  }
});

const noEcosystems: EcosystemSource = { facts: async () => ({ hosts: () => Promise.resolve([]), env: {} }) };
const clock = { nowMs: Date.now, monotonicMs: () => performance.now(), sleep: async () => {} };
const doors: EgressDoor[] = [];
/** What the doors of this test decided. */
export const decisions: EgressDecision[] = [];
let turn = 0;
afterEach(() => {
  for (const door of doors.splice(0)) door.close();
  turn += 1;
  decisions.length = 0;
  seen.length = 0;
});

/** A door over loopback; every name resolves to it. */
export function makeDoor(rules: readonly EgressRule[], more: Partial<EgressDoorOptions> = {}): EgressDoor {
  const mine = turn;
  const door = createEgressDoor({
    policy: { rules },
    ecosystems: noEcosystems,
    clock,
    onDecision: (decision) => {
      if (mine === turn) decisions.push(decision);
    },
    refusedRanges: defaultRefusedRanges.filter((range) => range !== '127.0.0.0/8'),
    resolve: async () => ['127.0.0.1'],
    proxyEnv: {},
    ...more,
  });
  doors.push(door);
  return door;
}
export const rule = (host: string, ...ports: number[]): EgressRule => ({ host, ports });

/** A connection from inside, with its first bytes. */
export function knock(door: EgressDoor, text?: string | Buffer): Duplex {
  const { inside, outside } = pipePair();
  door.accept(outside);
  if (text !== undefined) inside.write(text);
  return inside;
}
export const connectTo = (authority: string) => `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`;
export const get = (url: string, host: string, more = '') =>
  `GET ${url} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;
export const closing = 'Connection: close\r\n';
