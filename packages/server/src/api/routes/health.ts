import type { FastifyInstance } from 'fastify';
import { publicRoute } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';

/** Whether the process lives and whether it can serve. */
export function healthRoutes(app: FastifyInstance, { ready }: ApiContext): void {
  app.get('/healthz', { config: publicRoute, schema: { hide: true } }, async () => ({ ok: true }));
  app.get('/readyz', { config: publicRoute, schema: { hide: true } }, async () => {
    await ready();
    return { ok: true };
  });
}
