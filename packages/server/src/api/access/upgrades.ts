import type { FastifyInstance } from 'fastify';
import { BerthError } from '../../domain/errors/index.ts';

/**
 * Refuses a request for a WebSocket to every route that has none, before anything of the route runs. Otherwise the
 * library switches protocols first and hangs up then: whoever asks holds a connection that no limit of streams counts.
 * Installed after identity is asked for, so that a stranger learns nothing but that.
 */
export function refuseUpgrades(app: FastifyInstance): void {
  const taking = new Set<string>();
  app.addHook('onRoute', ({ url, wsHandler }) => {
    if (wsHandler !== undefined) taking.add(url);
  });
  app.addHook('onRequest', async ({ raw, routeOptions: { url } }) => {
    if (!isUpgrade(raw) || url === undefined || taking.has(url)) return;
    throw new BerthError('USAGE', 'This route takes no WebSocket.', { next: 'Ask for it over plain HTTP.' });
  });
}

/** Set by Node on a request whose connection it let go of. */
function isUpgrade(raw: object): boolean {
  return 'upgrade' in raw && raw.upgrade === true;
}

/**
 * The socket of a request for a WebSocket belongs to nobody once it was answered with anything else: Node has let go of it.
 * Unless it is closed here, whoever is refused holds it for ever.
 */
export function closeRefusedUpgrades(app: FastifyInstance): void {
  app.addHook('onResponse', async ({ raw }, reply) => {
    if (raw.headers.upgrade !== undefined && reply.statusCode >= 400) raw.socket.destroySoon();
  });
}
