import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { proposalViewSchema } from '../../domain/views.ts';
import { visibleProjects } from '../../domain/access.ts';
import { listOf, on } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { idParams, limitSchema, problems } from '../schemas.ts';

const withBody = proposalViewSchema.extend({ body: z.string() }).meta({ id: 'ProposalWithBody' });

/** Proposals and what a person decides about them. */
export function proposalRoutes(app: FastifyInstance, { controlPlane }: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    '/proposals',
    {
      config: listOf('run.read'),
      schema: {
        operationId: 'listProposals',
        summary: 'Proposals, newest first.',
        querystring: z.object({
          project: z.string().min(1).max(4_096).optional(),
          limit: limitSchema(200, 50),
        }),
        response: { 200: z.object({ proposals: z.array(proposalViewSchema) }), ...problems },
      },
    },
    async (request) => {
      const { project, limit } = request.query;
      const found = await controlPlane.listProposals({
        limit,
        visible: visibleProjects(request.principal),
        ...(project === undefined ? {} : { project }),
      });
      return { proposals: [...found] };
    },
  );
  routes.get(
    '/proposals/:id',
    {
      config: on('proposal', 'run.read'),
      schema: {
        operationId: 'getProposal',
        summary: 'One proposal with the text of its pull request.',
        params: idParams,
        response: { 200: withBody, ...problems },
      },
    },
    async (request) => controlPlane.getProposal(request.target.id),
  );
  routes.get(
    '/proposals/:id/diff',
    {
      config: on('proposal', 'run.read'),
      schema: {
        operationId: 'getProposalDiff',
        summary: 'Unified diff of a proposal against its base.',
        params: idParams,
        produces: ['text/x-diff'],
        response: { 200: z.string(), ...problems },
      },
    },
    async (request, reply) => {
      const diff = await controlPlane.proposalDiff(request.target.id);
      return reply.type('text/x-diff; charset=utf-8').serializer(String).send(diff);
    },
  );
  for (const [act, summary] of [
    ['merge', 'Merges the pull request on the local forge.'],
    ['close', 'Closes the pull request without merging.'],
  ] as const) {
    routes.post(
      `/proposals/:id/${act}`,
      {
        config: on('proposal', 'proposal.decide'),
        schema: {
          operationId: `${act}Proposal`,
          summary,
          params: idParams,
          body: z.strictObject({}).nullish(),
          response: { 200: proposalViewSchema, ...problems },
        },
      },
      async (request) =>
        act === 'merge'
          ? controlPlane.mergeProposal(request.target.id, request.principal.id)
          : controlPlane.closeProposal(request.target.id, request.principal.id),
    );
  }
}
