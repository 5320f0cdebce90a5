import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { eventViewSchema } from '../../domain/views.ts';
import { on } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { callParams, idParams, limitSchema, problems, seqSchema, typesSchema } from '../schemas.ts';

const bytes = z.custom<Readable>();

/** A run's log, page by page, and whole outputs. */
export function eventRoutes(app: FastifyInstance, { controlPlane }: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    '/runs/:id/events',
    {
      config: on('run', 'run.read'),
      schema: {
        operationId: 'listEvents',
        summary: 'Settled events in order.',
        params: idParams,
        querystring: z.object({
          after: seqSchema,
          limit: limitSchema(1_000, 200),
          types: typesSchema.optional(),
        }),
        response: { 200: z.object({ events: z.array(eventViewSchema) }), ...problems },
      },
    },
    async (request) => {
      const { after, limit, types } = request.query;
      const events = await controlPlane.listEvents(request.target.id, {
        afterSeq: after,
        limit,
        ...(types === undefined || types.length === 0 ? {} : { types }),
      });
      return { events: [...events] };
    },
  );
  routes.get(
    '/runs/:id/outputs/:callId',
    {
      config: on('run', 'run.read'),
      schema: {
        operationId: 'getOutput',
        summary: 'The whole output of a command or tool call.',
        params: callParams,
        produces: ['application/octet-stream'],
        response: { 200: bytes, ...problems },
      },
    },
    async (request, reply) => {
      const output = await controlPlane.output(request.target.id, request.params.callId);
      // Never a type a browser would run: what a command printed is hostile.
      return reply.type('application/octet-stream').send(Readable.from(output, { objectMode: false }));
    },
  );
}
