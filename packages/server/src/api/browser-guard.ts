import type { IncomingHttpHeaders } from 'node:http';
import { BerthError } from '../domain/errors/index.ts';

/** Names under which the API may be addressed; anything else is a foreign name bound to our address (DNS rebinding). */
const ownNames = new Set(['localhost', '127.0.0.1', '[::1]', 'berth']);

/**
 * Refuses what a web page caused. Pages cannot speak to a unix socket, but they can to loopback: every request of
 * theirs carries `Origin` (writes) or `Sec-Fetch-Site` (all), and one by rebinding carries a foreign `Host`.
 * @throws BerthError `BROWSER_REFUSED`
 */
export function refuseBrowsers(headers: IncomingHttpHeaders): void {
  if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined) {
    throw new BerthError('BROWSER_REFUSED');
  }
  const name = /^(\[[^\]]*\]|[^:]*)(?::\d+)?$/.exec(headers.host ?? '')?.[1];
  if (name === undefined || !ownNames.has(name.toLowerCase())) {
    throw new BerthError('BROWSER_REFUSED', 'The Host header does not name this server.', {
      next: 'Address it as localhost.',
    });
  }
}
