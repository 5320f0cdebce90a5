import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { permittedProjects, visibleProjects } from '../../domain/access.ts';
import {
  deliveryStates,
  deliveryViewSchema,
  triggerTrialSchema,
  triggerViewSchema,
} from '../../domain/deliveries.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { DeliveryPlane } from '../../triggers/deliveries/plane.ts';
import { listOf, on } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { idSchema, limitSchema, problems } from '../schemas.ts';

const params = z.object({ id: idSchema });
const triggerParams = z.object({ id: z.string().min(1).max(80).describe('The name of a trigger.') });

/** What came in by webhooks and what became of it, and the triggers that decide. Bodies are for maintainers. */
export function deliveryRoutes(app: FastifyInstance, context: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    '/deliveries',
    {
      config: listOf('project.configure'),
      schema: {
        operationId: 'listDeliveries',
        summary: 'Deliveries of projects one maintains, newest first; `dead` are those given up.',
        querystring: z.object({
          state: z.enum(deliveryStates).optional(),
          name: z.string().min(1).max(80).optional().describe('Of the forge or trigger it came in by.'),
          limit: limitSchema(200, 50),
          cursor: z.string().min(1).max(80).optional(),
        }),
        response: {
          200: z.object({ deliveries: z.array(deliveryViewSchema), next: z.string().nullable() }),
          ...problems,
        },
      },
    },
    async (request) => {
      const { limit, state, name, cursor } = request.query;
      const deliveries =
        (await context.deliveries?.list({
          visible: permittedProjects(request.principal, 'project.configure'),
          limit,
          ...(state === undefined ? {} : { state }),
          ...(name === undefined ? {} : { name }),
          ...(cursor === undefined ? {} : { cursor }),
        })) ?? [];
      return {
        deliveries: [...deliveries],
        next: deliveries.length === limit ? (deliveries.at(-1)?.id ?? null) : null,
      };
    },
  );
  routes.get(
    '/deliveries/:id',
    {
      config: on('delivery', 'project.configure'),
      schema: {
        operationId: 'getDelivery',
        summary: 'One delivery with its body, as it was kept: without secrets.',
        params,
        response: {
          200: deliveryViewSchema.extend({ body: z.string() }).meta({ id: 'DeliveryWithBody' }),
          ...problems,
        },
      },
    },
    async (request) => planeOf(context).get(request.target.id),
  );
  routes.post(
    '/deliveries/:id/run-again',
    {
      config: { ...on('delivery', 'project.configure'), audit: { action: 'delivery.run_again' } },
      schema: {
        operationId: 'runDeliveryAgain',
        summary: 'Works a settled delivery off again; what has a task gets no second one.',
        params,
        body: z.strictObject({}).nullish(),
        response: { 202: deliveryViewSchema, ...problems },
      },
    },
    async (request, reply) => reply.code(202).send(await planeOf(context).runAgain(request.target.id)),
  );
  routes.get(
    '/triggers',
    {
      config: listOf('run.read'),
      schema: {
        operationId: 'listTriggers',
        summary: 'The triggers of projects one may see, with the path their deliveries are sent to.',
        response: { 200: z.object({ triggers: z.array(triggerViewSchema) }), ...problems },
      },
    },
    async (request) => ({
      triggers: [...((await context.deliveries?.triggers(visibleProjects(request.principal))) ?? [])],
    }),
  );
  routes.post(
    '/triggers/:id/test',
    {
      config: { ...on('trigger', 'project.configure'), audit: { action: 'trigger.test' } },
      schema: {
        operationId: 'testTrigger',
        summary: 'Says what a trigger would make of a body, and why not; makes nothing.',
        params: triggerParams,
        body: z.strictObject({
          body: z.record(z.string(), z.unknown()).default({}),
          event: z
            .string()
            .max(100)
            .default('')
            .describe('Of a forge: what its header names, like `issues`.'),
        }),
        response: { 200: triggerTrialSchema, ...problems },
      },
    },
    async (request) => planeOf(context).test(request.target.id, request.body.body, request.body.event),
  );
}

function planeOf({ deliveries }: ApiContext): DeliveryPlane {
  if (deliveries === null) throw new BerthError('NOT_FOUND', 'This server takes no deliveries.');
  return deliveries;
}
