import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { runRowSchema } from '../../domain/run-views.ts';
import { runViewSchema } from '../../domain/views.ts';
import { listOf, on } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { rowQuery, rowQuerySchema, sendProjected } from '../row-query.ts';
import { idParams, problems } from '../schemas.ts';

/** Reading runs. */
export function runRoutes(app: FastifyInstance, { controlPlane }: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    '/runs',
    {
      config: { ...listOf('run.read'), etag: true },
      schema: {
        operationId: 'listRuns',
        summary: 'Runs, newest first; with `fields`, rows have only these members.',
        querystring: rowQuerySchema,
        response: {
          200: z.object({ runs: z.array(runRowSchema), next: z.string().nullable() }),
          ...problems,
        },
      },
    },
    async (request, reply) => {
      const { runs, next } = await controlPlane.listRunRows(rowQuery(request, request.query));
      const { fields } = request.query;
      if (fields === undefined) return { runs: [...runs], next };
      return sendProjected(reply, 'runs', { rows: runs, next }, fields, runRowSchema);
    },
  );
  routes.get(
    '/runs/:id',
    {
      config: { ...on('run', 'run.read'), etag: true },
      schema: {
        operationId: 'getRun',
        summary: 'One run.',
        params: idParams,
        response: { 200: runViewSchema, ...problems },
      },
    },
    async (request) => controlPlane.getRun(request.target.id),
  );
}
