import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { outlineSchema, runStateSchema, searchAnswerSchema } from '../../domain/run-views.ts';
import { on } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { idParams, limitSchema, placeSchema, problems, seqSchema } from '../schemas.ts';

/** A run at a glance, at any of its entries, and where in it something stands. */
export function outlineRoutes(app: FastifyInstance, { controlPlane }: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    '/runs/:id/outline',
    {
      config: { ...on('run', 'run.read'), etag: true },
      schema: {
        operationId: 'getOutline',
        summary: 'Steps past and to come, turns, counts, marks and strip; at most 20 kB.',
        params: idParams,
        response: { 200: outlineSchema, ...problems },
      },
    },
    async (request) => controlPlane.outline(request.target.id),
  );
  routes.get(
    '/runs/:id/state',
    {
      config: { ...on('run', 'run.read'), etag: true },
      schema: {
        operationId: 'getRunState',
        summary: 'How a run stood after an entry: status, outline, limits, changes, network, context.',
        params: idParams,
        querystring: z.object({ seq: placeSchema.optional().describe('Without it: now.') }),
        response: { 200: runStateSchema, ...problems },
      },
    },
    async (request) => controlPlane.stateAt(request.target.id, request.query.seq ?? null),
  );
  routes.get(
    '/runs/:id/search',
    {
      config: on('run', 'run.read'),
      schema: {
        operationId: 'searchRun',
        summary: 'Entries that hold a text, or say that something failed.',
        params: idParams,
        querystring: z.object({
          q: z.string().max(500).default('').describe('In the title or the payload, in whatever case.'),
          kind: z.enum(['any', 'failure']).default('any'),
          after: seqSchema,
          limit: limitSchema(100, 20),
        }),
        response: { 200: searchAnswerSchema, ...problems },
      },
    },
    async (request) => {
      const { q, kind, after, limit } = request.query;
      return controlPlane.search(request.target.id, {
        text: q,
        failuresOnly: kind === 'failure',
        afterSeq: after,
        limit,
      });
    },
  );
}
