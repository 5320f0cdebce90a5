import type { FastifyInstance } from 'fastify';
import { BerthError } from '../../domain/errors/index.ts';
import type { HealthReport } from '../../domain/ports/health.ts';
import { publicRoute } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';

/**
 * Whether the process lives (`/healthz`) and whether it can serve (`/readyz`), with every check and its sentence; 503
 * where a required one does not hold. Anybody may ask: nothing is said but whether the parts work.
 */
export function healthRoutes(app: FastifyInstance, { ready, health }: ApiContext): void {
  app.get('/healthz', { config: publicRoute, schema: { hide: true } }, async (_, reply) => {
    void reply.header('cache-control', 'no-store');
    return answer(health === null ? { ok: true, checks: [] } : health.live());
  });
  app.get('/readyz', { config: publicRoute, schema: { hide: true } }, async (_, reply) => {
    void reply.header('cache-control', 'no-store');
    await ready();
    return answer(health === null ? { ok: true, checks: [] } : await health.ready());
  });
}

/** @throws BerthError `NOT_READY` with the checks among its details */
export function answer(report: HealthReport): HealthReport {
  if (report.ok) return report;
  const failed = report.checks.filter((check) => !check.ok && check.required);
  throw new BerthError('NOT_READY', failed.map((check) => check.sentence).join(' '), {
    details: { checks: report.checks },
  });
}
