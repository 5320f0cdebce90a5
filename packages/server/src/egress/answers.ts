import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** What a person in the sandbox reads when a connection was not made. */
export function explain(status: number, reason: string): string {
  return status === 403
    ? `Berth refused this connection: ${reason}.\nWhat a sandbox may reach is set by the project's egress rules.\n`
    : `Berth could not make this connection: ${reason}.\n`;
}

/** Answers a CONNECT or an upgrade, where no response object exists, and closes. */
export function answerRaw(stream: Duplex, status: number, reason: string, code?: string): void {
  if (stream.destroyed || stream.writableEnded) return;
  const body = explain(status, reason);
  stream.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nX-Berth-Egress: ${status === 403 ? 'refused' : 'failed'}\r\n` +
      `${code === undefined ? '' : `X-Berth-Code: ${code}\r\n`}Connection: close\r\n\r\n${body}`,
  );
}

export function answer(response: ServerResponse, status: number, reason: string, code?: string): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'x-berth-egress': status === 403 ? 'refused' : 'failed',
    ...(code === undefined ? {} : { 'x-berth-code': code }),
    connection: 'close',
  });
  response.end(explain(status, reason));
}

/** A fatal TLS alert `no_application_protocol` (RFC 7301). */
export const tlsNoProtocol = Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x78]);

/** A fatal TLS alert `unrecognized_name` (RFC 6066): clients name it, where a bare reset says nothing. */
export const tlsRefusal = Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x70]);
