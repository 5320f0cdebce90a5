import { isIP } from 'node:net';
import { BerthError } from '../domain/errors/index.ts';

/** Where the API listens on TCP. */
export interface TcpAddress {
  /** A name or an address; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/**
 * Reads `host:port`, with IPv6 addresses in brackets; port 0 takes a free one.
 * @throws BerthError `LISTEN_INVALID`
 */
export function parseListen(text: string): TcpAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s[\]]+)):(\d{1,5})$/.exec(text.trim());
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  const isBracketed = match?.[1] !== undefined;
  if (host === undefined || port > 65_535 || (isBracketed && isIP(host) !== 6)) {
    throw new BerthError('LISTEN_INVALID', `${JSON.stringify(text)} is not host:port.`);
  }
  return { host, port };
}

/** `http://host:port` as people open it. */
export function urlOf({ host, port }: TcpAddress): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Whether nobody but this machine reaches the address. A name other than localhost may mean anything. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/**
 * A bearer token of this machine alone is no way to sign in: with it nobody else may reach the server.
 * @throws BerthError `LISTEN_REFUSED`
 */
export function assertLoopback({ host, port }: TcpAddress): void {
  if (isLoopback(host)) return;
  throw new BerthError('LISTEN_REFUSED', `Others reach ${host}:${port}, and nobody could sign in there.`);
}
