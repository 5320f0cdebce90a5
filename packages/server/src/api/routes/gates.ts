import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { visibleProjects } from '../../domain/access.ts';
import { gateViewSchema } from '../../domain/gate-view.ts';
import { listOf, on } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { idParams, limitSchema, problems } from '../schemas.ts';

const decisionBody = z
  .strictObject({
    comment: z.string().trim().min(1).max(2_000).optional(),
    tree: z
      .string()
      .regex(/^[A-Za-z0-9-]{1,64}$/)
      .optional()
      .describe('The tree that was looked at: another one is not decided.'),
  })
  .nullish();

/** What waits for a person's approval, and the approval. An id is a gate's, or that of the run that waits. */
export function gateRoutes(app: FastifyInstance, { controlPlane }: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    '/gates',
    {
      config: listOf('run.read'),
      schema: {
        operationId: 'listGates',
        summary: 'What waits for approval, of the newest runs first.',
        querystring: z.object({
          state: z.enum(['open']).default('open'),
          project: z.string().min(1).max(4_096).optional().describe('Id, name or repository of a project.'),
          cursor: z.string().max(200).optional(),
          limit: limitSchema(200, 50),
        }),
        response: {
          200: z.object({ gates: z.array(gateViewSchema), next: z.string().nullable() }),
          ...problems,
        },
      },
    },
    async (request) => {
      const { project, cursor, limit } = request.query;
      const { gates, next } = await controlPlane.gates.listOpen({
        limit,
        visible: visibleProjects(request.principal),
        ...(project === undefined ? {} : { project }),
        ...(cursor === undefined ? {} : { cursor }),
      });
      return { gates: [...gates], next };
    },
  );
  routes.get(
    '/gates/:id',
    {
      config: on('gate', 'run.read'),
      schema: {
        operationId: 'getGate',
        summary: 'One gate, decided or not.',
        params: idParams,
        response: { 200: gateViewSchema, ...problems },
      },
    },
    async (request) => controlPlane.gates.get(request.target.id),
  );
  for (const [act, verdict, summary] of [
    ['approve', 'approved', 'Approves what a gate asks, and waives the objections it lists.'],
    ['refuse', 'refused', 'Refuses what a gate asks; the run ends and its work is kept.'],
  ] as const) {
    routes.post(
      `/gates/:id/${act}`,
      {
        config: on('gate', 'gate.decide'),
        schema: {
          operationId: `${act}Gate`,
          summary,
          params: idParams,
          body: decisionBody,
          response: { 200: gateViewSchema, ...problems },
        },
      },
      async (request) => {
        const { id, tokenId } = request.principal;
        const gate = await controlPlane.gates.decide(request.target.id, {
          verdict,
          by: { id, tokenId },
          comment: request.body?.comment ?? null,
          tree: request.body?.tree ?? null,
        });
        if (request.audited !== null) {
          request.audited.details = {
            run: gate.run,
            at: gate.at,
            commit: gate.proposal?.commit ?? null,
            tree: gate.proposal?.tree ?? null,
            ...(verdict === 'approved' ? { waives: gate.objections } : {}),
            comment: gate.comment,
          };
        }
        return gate;
      },
    );
  }
}
