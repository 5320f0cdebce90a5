import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { permittedProjects, visibleProjects, type Principal } from '../../domain/access.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { runLimitsSchema } from '../../domain/limits.ts';
import { maxTaskCharacters, runOptionsSchema } from '../../domain/task.ts';
import type { CampaignPlane } from '../../runs/campaigns/plane.ts';
import { campaignResultSchema, campaignViewSchema } from '../../runs/campaigns/view.ts';
import { requirePermission } from '../access/authorise.ts';
import { listOf, newIn, on } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { idParams, limitSchema, problems } from '../schemas.ts';
import { planeOf } from './config.ts';

/** Projects of one campaign. */
const mostProjects = 1_000;
const answer = { 200: campaignViewSchema, ...problems };

const createSchema = z.strictObject({
  text: z.string().describe(`What is to be done in each project; 1 to ${maxTaskCharacters} characters.`),
  projects: z
    .union([z.literal('all'), z.array(z.string().min(1).max(4_096)).min(1).max(mostProjects)])
    .describe('Ids or names; `all`: the configured ones that one may hand tasks in to.'),
  concurrency: z.int().min(1).max(100).default(5),
  canary: z.int().min(0).max(100).default(0).describe('So many go first, and have to succeed.'),
  stopOnFailureRate: z.number().gt(0).max(1).nullable().default(null),
  stopAfter: z.int().min(1).max(1_000).default(5).describe('So many have to be over before the rate counts.'),
  options: z
    .strictObject({
      base: z.string().min(1).max(500).nullable().default(null),
      model: z.string().min(1).max(200).nullable().default(null),
      limits: runLimitsSchema.partial().default({}),
      propose: z.boolean().default(true),
    })
    .prefault({}),
  dryRun: z.boolean().default(false),
});

const madeSchema = z.object({
  /** Null: a dry run. */
  campaign: campaignViewSchema.nullable(),
  projects: z.array(z.object({ id: z.string(), name: z.string() })),
});

/** Campaigns: one task text over many projects. */
export function campaignRoutes(app: FastifyInstance, context: ApiContext): void {
  actRoutes(app, context);
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    '/campaigns',
    {
      config: listOf('run.read'),
      schema: {
        operationId: 'listCampaigns',
        summary: 'The campaigns of projects one may see, newest first, as far as one sees their projects.',
        querystring: z.object({ limit: limitSchema(100, 20), cursor: z.string().min(1).max(80).optional() }),
        response: {
          200: z.object({ campaigns: z.array(campaignViewSchema), next: z.string().nullable() }),
          ...problems,
        },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      const visible = visibleProjects(request.principal);
      const page = { visible, limit, ...(cursor === undefined ? {} : { before: cursor }) };
      const campaigns = [...((await context.campaigns?.list(page)) ?? [])];
      return { campaigns, next: campaigns.length === limit ? (campaigns.at(-1)?.id ?? null) : null };
    },
  );
  routes.post(
    '/campaigns',
    {
      config: newIn('campaign.manage'),
      schema: {
        operationId: 'createCampaign',
        summary: 'Hands one task in to many projects, a few at a time.',
        body: createSchema,
        response: { 201: madeSchema, ...problems },
      },
    },
    async (request, reply) => {
      const { projects, dryRun, options, stopOnFailureRate, ...rest } = request.body;
      const chosen = await projectsOf(context, request.principal, projects);
      const campaign = dryRun
        ? null
        : await campaignsOf(context).create({
            ...rest,
            stopRate: stopOnFailureRate,
            options: runOptionsSchema.parse(options),
            projectIds: chosen.map(({ id }) => id),
            by: request.principal.id,
          });
      return reply.code(201).send({ campaign, projects: chosen });
    },
  );
  routes.get(
    '/campaigns/:id',
    {
      config: on('campaign', 'run.read'),
      schema: {
        operationId: 'getCampaign',
        summary: 'How a campaign stands: counts, cost, failures by code.',
        params: idParams,
        response: answer,
      },
    },
    async (request) => campaignsOf(context).get(request.target.id, visibleProjects(request.principal)),
  );
  routes.get(
    '/campaigns/:id/results',
    {
      config: on('campaign', 'run.read'),
      schema: {
        operationId: 'listCampaignResults',
        summary: 'What became of each project, in their order.',
        params: idParams,
        querystring: z.object({
          limit: limitSchema(200, 50),
          cursor: z.coerce.number<string>().int().min(0).max(1_000_000).optional(),
        }),
        response: {
          200: z.object({ results: z.array(campaignResultSchema), next: z.number().nullable() }),
          ...problems,
        },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      const { results, next } = await campaignsOf(context).results(request.target.id, {
        visible: visibleProjects(request.principal),
        limit,
        ...(cursor === undefined ? {} : { after: cursor }),
      });
      return { results: [...results], next };
    },
  );
}

function actRoutes(app: FastifyInstance, context: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  for (const { act, summary } of [
    { act: 'pause', summary: 'Nothing more is handed in until it is resumed; what runs goes on.' },
    { act: 'resume', summary: 'Goes on, also past what stopped it; failures so far count no more.' },
    { act: 'cancel', summary: 'Nothing more is handed in, and its runs are ended.' },
  ] as const) {
    routes.post(
      `/campaigns/:id/${act}`,
      {
        config: on('campaign', 'campaign.manage'),
        schema: {
          operationId: `${act}Campaign`,
          summary,
          params: idParams,
          body: z.strictObject({}).nullish(),
          response: answer,
        },
      },
      async (request) => {
        await requireAll(context, request);
        return campaignsOf(context)[act](request.target.id, request.principal.id);
      },
    );
  }
  routes.post(
    '/campaigns/:id/retry',
    {
      config: on('campaign', 'campaign.manage'),
      schema: {
        operationId: 'retryCampaign',
        summary: 'Another attempt where it failed, or where it ended with one code.',
        params: idParams,
        body: z.strictObject({ code: z.string().min(1).max(100).optional() }).nullish(),
        response: answer,
      },
    },
    async (request) => {
      await requireAll(context, request);
      const { id } = request.target;
      return campaignsOf(context).retry(id, request.principal.id, request.body?.code ?? null);
    },
  );
}

/** An act on a campaign is one on each of its projects. @throws BerthError `FORBIDDEN` */
async function requireAll(context: ApiContext, { principal, target }: FastifyRequest): Promise<void> {
  const visible = visibleProjects(principal);
  for (const projectId of await campaignsOf(context).projectIds(target.id)) {
    if (visible !== 'all' && !visible.includes(projectId)) {
      throw new BerthError('FORBIDDEN', 'This campaign reaches into projects that you may not act on.');
    }
    requirePermission(principal, 'campaign.manage', { projectId, ownerId: target.ownerId });
  }
}

/** The projects meant, each once; each needs the right to hand tasks in. What one may not see does not exist. */
async function projectsOf(
  context: ApiContext,
  principal: Principal,
  wanted: z.infer<typeof createSchema>['projects'],
): Promise<{ id: string; name: string }[]> {
  if (wanted === 'all') {
    const visible = permittedProjects(principal, 'task.create');
    const found = await planeOf(context).listProjects({ visible, limit: mostProjects + 1 });
    const configured = found.filter(({ source }) => source !== 'default');
    if (configured.length === 0 || found.length > mostProjects) {
      const sentence =
        configured.length === 0
          ? 'There is no configured project that you may hand tasks in to.'
          : `A campaign has at most ${mostProjects} projects: name them.`;
      throw new BerthError('USAGE', sentence);
    }
    for (const { id } of configured) requireBoth(principal, id);
    return configured.map(({ id, name }) => ({ id, name }));
  }
  const chosen = new Map<string, string>();
  for (const text of wanted) {
    const { id } = await context.controlPlane.locate('project', text, visibleProjects(principal));
    requireBoth(principal, id);
    chosen.set(id, chosen.get(id) ?? text);
  }
  return [...chosen].map(([id, name]) => ({ id, name }));
}

function requireBoth(principal: Principal, projectId: string): void {
  requirePermission(principal, 'task.create', { projectId, ownerId: null });
  requirePermission(principal, 'campaign.manage', { projectId, ownerId: principal.id });
}

function campaignsOf({ campaigns }: ApiContext): CampaignPlane {
  if (campaigns === null) throw new BerthError('NOT_FOUND', 'This server has no campaigns.');
  return campaigns;
}
