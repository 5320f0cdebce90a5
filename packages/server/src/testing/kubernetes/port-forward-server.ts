import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';

const subprotocol = 'v4.channel.k8s.io';

/** The API server's end of a port-forward: one WebSocket for one connection, a byte of channel in front of each message. */
export function answerPortForward(
  incoming: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  port: number,
  open: () => Duplex,
): void {
  const server = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  });
  server.handleUpgrade(incoming, socket, head, (client) => join(client, port, open()));
}

function join(client: WebSocket, port: number, connection: Duplex): void {
  const number = Buffer.alloc(2);
  number.writeUInt16LE(port);
  for (const channel of [0, 1]) client.send(Buffer.concat([Buffer.of(channel), number]));
  client.on('message', (data: Buffer) => {
    if (data[0] === 0) connection.write(data.subarray(1));
  });
  connection.on('data', (chunk: Buffer) => {
    connection.pause();
    client.send(Buffer.concat([Buffer.of(0), chunk]), () => connection.resume());
  });
  connection.on('error', (error) => client.send(Buffer.concat([Buffer.of(1), Buffer.from(error.message)])));
  connection.on('close', () => client.close());
  client.on('close', () => connection.destroy());
  client.on('error', () => connection.destroy());
}
