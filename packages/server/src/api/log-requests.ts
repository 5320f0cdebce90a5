import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Log } from '../telemetry/log.ts';
import type { Problem } from './problem.ts';

/** Requests that take longer are said; streams are long by nature and are not. */
const slowMs = 1_000;

/** Says which requests took long. The path without its query: that may hold what is nobody's business. */
export function logSlowRequests(app: FastifyInstance, log: Log): void {
  app.addHook('onResponse', async (request, reply) => {
    const tookMs = Math.round(reply.elapsedTime);
    const type = reply.getHeader('content-type');
    const isStream = String(type).startsWith('text/event-stream');
    if (tookMs < slowMs || isStream) return;
    log.warn('slow request', { ...factsOf(request), status: reply.statusCode, tookMs });
  });
}

/** What nobody foresaw is an error, with its stack; what the caller did is not worth a line but for debugging. */
export function logFailure(
  log: Log | undefined,
  request: FastifyRequest,
  problem: Problem,
  error: unknown,
): void {
  if (log === undefined) return;
  const facts = { ...factsOf(request), status: problem.status, code: problem.code };
  if (problem.code === 'INTERNAL') log.error('request failed', { ...facts, error });
  else if (problem.status >= 500 && problem.code !== 'NOT_READY') log.warn('request failed', facts);
  else log.debug('request refused', facts);
}

function factsOf(request: FastifyRequest): Readonly<Record<string, unknown>> {
  return {
    request: request.id,
    method: request.method,
    route: request.routeOptions.url ?? request.url.split('?')[0],
    run: request.target?.id === '' ? undefined : request.target?.id,
  };
}
