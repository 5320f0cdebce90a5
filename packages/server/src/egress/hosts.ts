import { isIP } from 'node:net';

export interface Target {
  /** Lower case, without brackets and without the dot of the root. */
  readonly host: string;
  readonly port: number;
}

/** `host:port` as CONNECT carries it; null when it is anything else. */
export function parseAuthority(text: string): Target | null {
  const match = /^(\[[0-9a-f:.%]+\]|[^:@/?#\s[\]]+):(\d{1,5})$/i.exec(text);
  if (match === null) return null;
  const port = Number(match[2]);
  const host = normalHost(match[1]!);
  return host === null || port < 1 || port > 65_535 ? null : { host, port };
}

/** A target as `Host`, `CONNECT` and addresses write it: IPv6 in brackets. */
export function authorityOf({ host, port }: Target): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A host as rules compare it, or null when it is not plain ASCII (names beyond it travel as punycode). */
export function normalHost(text: string): string | null {
  const host = text
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
  return /^[a-z0-9._:%-]{1,253}$/.test(host) ? host : null;
}

/**
 * Whether a resolver would take `host` for an address: IPv6, dotted IPv4, and the short, octal, hexadecimal and
 * decimal spellings that `inet_aton` accepts (`127.1`, `0x7f000001`, `2130706433`): the last label is a number.
 */
export function isAddressLiteral(host: string): boolean {
  if (isIP(host) !== 0 || host.includes(':')) return true;
  const last = host.split('.').at(-1) ?? '';
  return /^(\d+|0x[0-9a-f]*)$/.test(last);
}

/** Whether the `Host` header of a request names exactly `target` (the default port may be left out). */
export function hostHeaderNames(header: string, target: Target, defaultPort: number): boolean {
  const withPort = parseAuthority(header) ?? parseAuthority(`${header}:${defaultPort}`);
  return withPort !== null && withPort.host === target.host && withPort.port === target.port;
}
