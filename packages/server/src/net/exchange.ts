import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { getCACertificates } from 'node:tls';

/** One request to a server that an admin configured. */
export interface Exchange {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Certificates (PEM) that are trusted beside the system's. */
  readonly ca?: string | null;
  /** Of the whole exchange, body included. */
  readonly timeoutMs: number;
  /** Of the answer's body, unpacked. */
  readonly maxBytes: number;
  /** What happens with a longer body: it fails (default), or only its end is kept. */
  readonly longer?: 'fails' | 'keep-end';
  readonly signal: AbortSignal;
}

export interface ExchangeAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Idle connections of one authority are closed after this. */
const keepAliveMs = 15_000;
const agents = new Map<string, HttpAgent>();

/** The agent for a scheme and authority: through the proxy of the environment where there is one. */
function agentFor(isSecure: boolean, ca: string | null): HttpAgent {
  const key = `${isSecure} ${ca ?? ''}`;
  const known = agents.get(key);
  if (known !== undefined) return known;
  const common = { keepAlive: true, timeout: keepAliveMs, proxyEnv: process.env };
  const agent = isSecure
    ? new HttpsAgent({ ...common, ca: [...trusted(), ...(ca === null ? [] : [ca])] })
    : new HttpAgent(common);
  // Rotated certificates make new agents; the old ones have no connections left.
  if (agents.size > 50) agents.clear();
  agents.set(key, agent);
  return agent;
}

/** What this machine trusts by itself. */
export function trusted(): string[] {
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
}

/**
 * One exchange over HTTP. Redirects are not followed: they would carry the credential in the headers elsewhere.
 * @throws whatever broke the connection, a `TimeoutError`, a `RangeError` when the answer is longer than `maxBytes`,
 *   the signal's reason
 */
export async function exchange(request: Exchange): Promise<ExchangeAnswer> {
  const url = new URL(request.url);
  const isSecure = url.protocol === 'https:';
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(request.timeoutMs)]);
  signal.throwIfAborted();
  const body = request.body === undefined ? undefined : Buffer.from(request.body);
  const { promise, resolve, reject } = Promise.withResolvers<ExchangeAnswer>();
  const outgoing = (isSecure ? httpsRequest : httpRequest)(url, {
    method: request.method,
    headers: {
      ...request.headers,
      ...(body === undefined ? {} : { 'content-length': String(body.byteLength) }),
    },
    agent: agentFor(isSecure, request.ca ?? null),
    signal,
  });
  outgoing.once('error', (error) => reject(signal.aborted ? (signal.reason as Error) : error));
  outgoing.once('response', (response) => {
    const pieces: Buffer[] = [];
    let bytes = 0;
    response.on('data', (piece: Buffer) => {
      pieces.push(piece);
      bytes += piece.byteLength;
      if (bytes <= request.maxBytes) return;
      if (request.longer !== 'keep-end') {
        reject(new RangeError(`the answer is longer than ${request.maxBytes} bytes`));
        response.destroy();
        return;
      }
      while (pieces.length > 1 && bytes - pieces[0]!.byteLength >= request.maxBytes)
        bytes -= pieces.shift()!.byteLength;
    });
    response.once('error', (error) => reject(signal.aborted ? (signal.reason as Error) : error));
    response.once('close', () => {
      if (!response.complete) reject(new Error('the answer ended in the middle'));
      const whole = Buffer.concat(pieces);
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: whole.subarray(Math.max(0, whole.byteLength - request.maxBytes)),
      });
    });
  });
  outgoing.end(body);
  return promise;
}
