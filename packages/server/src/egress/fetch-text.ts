import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect as tlsConnect, getCACertificates } from 'node:tls';
import { normalHost } from './hosts.ts';
import { createRouter, systemResolve } from './upstream.ts';
import type { FetchText } from './ecosystems.ts';

/** A package index's page; more than this is cut off. */
const maxBytes = 512 * 1024;
const timeoutMs = 10_000;

const everywhere = { internal: () => true, named: () => true };

/** Fetches a small document for the worker itself (through the network's proxy, with the system's certificates). */
export const fetchText: FetchText = async (url) => {
  const host = normalHost(url.hostname);
  if (host === null) return null;
  const secure = url.protocol === 'https:';
  const target = { host, port: Number(url.port) || (secure ? 443 : 80) };
  const router = createRouter({
    refusedRanges: () => [],
    ownAddresses: () => new Set(),
    connectTimeoutMs: timeoutMs,
    resolve: systemResolve,
    proxyEnv: process.env,
  });
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const socket = await router.open(await router.route(target, everywhere, signal), target, signal);
    const ca = [...getCACertificates('default'), ...getCACertificates('system')];
    const connection = secure ? tlsConnect({ socket, servername: host, ca }) : socket;
    return await new Promise<string | null>((resolve, reject) => {
      const request = (secure ? httpsRequest : httpRequest)({
        createConnection: () => connection,
        host,
        port: target.port,
        path: `${url.pathname}${url.search}`,
        headers: {
          accept: 'application/vnd.pypi.simple.v1+json, text/html;q=0.5, application/json;q=0.5, */*;q=0.1',
          connection: 'close',
          ...(url.username === '' ? {} : { authorization: basic(url) }),
        },
        signal,
      });
      request.once('error', reject);
      request.once('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
          if (text.length > maxBytes) {
            response.destroy();
            resolve(text);
          }
        });
        response.once('error', reject);
        response.once('end', () => resolve(response.statusCode === 200 ? text : null));
      });
      request.end();
    });
  } catch {
    return null;
  }
};

function basic(url: URL): string {
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}
