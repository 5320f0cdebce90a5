import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { egressExplainedSchema, egressSteps } from '../../domain/egress-explained.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { on } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { problems } from '../schemas.ts';

/** What the sandboxes of a project may reach. */
export function egressRoutes(app: FastifyInstance, { egress }: ApiContext): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    '/projects/:id/egress/explain',
    {
      config: on('project', 'project.read'),
      schema: {
        operationId: 'explainEgress',
        summary: 'Whether sandboxes of a project may reach a host, and which rule of which layer says so.',
        params: z.object({
          id: z.string().regex(/^\P{Cc}{1,512}$/u, 'a name without control characters'),
        }),
        querystring: z.object({
          host: z.string().min(1).max(253),
          port: z.coerce.number().int().min(1).max(65_535).default(443),
          method: z
            .string()
            .regex(/^[A-Za-z-]{1,40}$/)
            .optional()
            .describe('Of a request; without method and path the connection is judged.'),
          path: z
            .string()
            .regex(/^\/\P{Cc}{0,2047}$/u)
            .optional(),
          step: z.enum(egressSteps).optional().describe('Left out: each.'),
        }),
        response: { 200: egressExplainedSchema, ...problems },
      },
    },
    async (request) => {
      if (egress === null) throw new BerthError('NOT_FOUND', 'This server cannot tell: it has no sandboxes.');
      const { host, port, method, path, step } = request.query;
      return egress.explain(
        request.target.id,
        {
          host,
          port,
          ...(method === undefined ? {} : { method }),
          ...(path === undefined ? {} : { path }),
          ...(step === undefined ? {} : { step }),
        },
        AbortSignal.timeout(30_000),
      );
    },
  );
}
