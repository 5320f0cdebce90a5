import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { runStates } from '../../domain/status.ts';
import { runViewSchema } from '../../domain/views.ts';
import { visibleProjects } from '../../domain/access.ts';
import { listOf, on } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { idParams, limitSchema, problems } from '../schemas.ts';

/** Reading runs. */
export function runRoutes(app: FastifyInstance, { controlPlane }: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    '/runs',
    {
      config: listOf('run.read'),
      schema: {
        operationId: 'listRuns',
        summary: 'Runs, newest first.',
        querystring: z.object({
          state: z.enum(runStates).optional(),
          project: z.string().min(1).max(4_096).optional().describe('Id, name or repository of a project.'),
          cursor: z.string().max(200).optional(),
          limit: limitSchema(200, 50),
        }),
        response: {
          200: z.object({ runs: z.array(runViewSchema), next: z.string().nullable() }),
          ...problems,
        },
      },
    },
    async (request) => {
      const { state, project, cursor, limit } = request.query;
      const page = await controlPlane.listRuns({
        limit,
        visible: visibleProjects(request.principal),
        ...(state === undefined ? {} : { state }),
        ...(project === undefined ? {} : { project }),
        ...(cursor === undefined ? {} : { cursor }),
      });
      return { runs: [...page.runs], next: page.next };
    },
  );
  routes.get(
    '/runs/:id',
    {
      config: on('run', 'run.read'),
      schema: {
        operationId: 'getRun',
        summary: 'One run.',
        params: idParams,
        response: { 200: runViewSchema, ...problems },
      },
    },
    async (request) => controlPlane.getRun(request.target.id),
  );
  routes.get(
    '/runs/:id/diff',
    {
      config: on('run', 'run.read'),
      schema: {
        operationId: 'getRunDiff',
        summary: 'Unified diff of the newest proposal or checkpoint against the base.',
        params: idParams,
        produces: ['text/x-diff'],
        response: { 200: z.string(), ...problems },
      },
    },
    async (request, reply) => {
      const diff = await controlPlane.diff(request.target.id);
      return reply.type('text/x-diff; charset=utf-8').serializer(String).send(diff);
    },
  );
}
