import type { RawHeaders } from './request-check.ts';

/** A header block as HTTP sees it. */
export interface HeaderParts {
  readonly pseudo: ReadonlyMap<string, string>;
  readonly headers: string[];
}

/** Of the connection, not of the request: not allowed in HTTP/2 (RFC 9113, 8.2.2). */
const connectionHeaders: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);
const requestPseudo: ReadonlySet<string> = new Set([
  ':method',
  ':scheme',
  ':authority',
  ':path',
  ':protocol',
]);

/**
 * Checks the form of a block (RFC 9113, 8.2 and 8.3), since what follows may write it as HTTP/1.1, where a line break in
 * a value begins another header. Pure.
 * @returns the parts, or what is wrong
 */
export function partsOf(list: RawHeaders, kind: 'request' | 'response' | 'trailers'): HeaderParts | string {
  const pseudo = new Map<string, string>();
  const headers: string[] = [];
  for (let at = 0; at + 1 < list.length; at += 2) {
    const name = list[at]!;
    const value = list[at + 1]!;
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value) || /^[\t ]|[\t ]$/.test(value))
      return 'a header value is malformed';
    if (name.startsWith(':')) {
      const known = kind === 'request' ? requestPseudo.has(name) : kind === 'response' && name === ':status';
      if (!known || pseudo.has(name) || headers.length > 0) return 'a pseudo-header is out of place';
      pseudo.set(name, value);
      continue;
    }
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) return 'a header name is malformed';
    if (connectionHeaders.has(name)) {
      if (kind === 'request') return `the header ${name} is not allowed in HTTP/2`;
      continue;
    }
    if (name === 'te' && value.toLowerCase() !== 'trailers') return 'the header te is malformed';
    headers.push(name, value);
  }
  if (kind === 'response' && !/^[1-5]\d\d$/.test(pseudo.get(':status') ?? ''))
    return 'its status is malformed';
  return { pseudo, headers };
}
