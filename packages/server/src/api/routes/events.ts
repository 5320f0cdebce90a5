import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { EventQuery } from '../../domain/ports/run-reading.ts';
import { eventSummarySchema } from '../../domain/run-views.ts';
import { eventViewSchema } from '../../domain/views.ts';
import { on } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { sendJson } from '../row-query.ts';
import {
  callParams,
  idParams,
  limitSchema,
  placeSchema,
  problems,
  seqSchema,
  typesSchema,
} from '../schemas.ts';

const bytes = z.custom<Readable>();

const eventQuery = z.object({
  after: seqSchema.unwrap().optional(),
  before: placeSchema.optional().describe('The last ones before this entry, in order all the same.'),
  limit: limitSchema(1_000, 200),
  types: typesSchema.optional(),
  importance: z.enum(['low', 'normal', 'high']).optional().describe('At least as important.'),
  step: z
    .string()
    .min(1)
    .max(200)
    .regex(/^\P{Cc}*$/u)
    .optional()
    .describe('Key of a step.'),
});

/** A page of events as it is asked for: from where on, or the newest ones (before an entry). */
function eventsOf(query: z.infer<typeof eventQuery>, begin: number | undefined): EventQuery {
  const { before, limit, types, importance, step } = query;
  const after = query.after ?? (before === undefined ? begin : undefined);
  return {
    limit,
    ...(after === undefined ? {} : { afterSeq: after }),
    ...(before === undefined ? {} : { beforeSeq: before }),
    ...(types === undefined || types.length === 0 ? {} : { types }),
    ...(importance === undefined ? {} : { importance }),
    ...(step === undefined ? {} : { step }),
  };
}

/** A run's log, page by page, and whole outputs. */
export function eventRoutes(app: FastifyInstance, { controlPlane }: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    '/runs/:id/events',
    {
      config: { ...on('run', 'run.read'), etag: true },
      schema: {
        operationId: 'listEvents',
        summary: 'Settled events in order, with their payloads. `before` answers the last ones before it.',
        params: idParams,
        querystring: eventQuery.extend({
          view: z.enum(['full', 'summary']).default('full').describe('`summary`: as `/summaries` answers.'),
        }),
        response: { 200: z.object({ events: z.array(eventViewSchema) }), ...problems },
      },
    },
    async (request, reply) => {
      const { id } = request.target;
      if (request.query.view === 'full') {
        return { events: [...(await controlPlane.eventPage(id, eventsOf(request.query, 0)))] };
      }
      const events = await controlPlane.summaryPage(id, eventsOf(request.query, undefined));
      return sendJson(reply, { events });
    },
  );
  routes.get(
    '/runs/:id/summaries',
    {
      config: { ...on('run', 'run.read'), etag: true },
      schema: {
        operationId: 'listSummaries',
        summary:
          'Settled events in order, without their payloads; the newest page unless `after` or `before` is given.',
        params: idParams,
        querystring: eventQuery,
        response: { 200: z.object({ events: z.array(eventSummarySchema) }), ...problems },
      },
    },
    async (request) => ({
      events: [...(await controlPlane.summaryPage(request.target.id, eventsOf(request.query, undefined)))],
    }),
  );
  routes.get(
    '/runs/:id/events/:seq',
    {
      config: { ...on('run', 'run.read'), etag: true },
      schema: {
        operationId: 'getEvent',
        summary: 'One event with its payload.',
        params: idParams.extend({ seq: placeSchema }),
        response: { 200: eventViewSchema, ...problems },
      },
    },
    async (request) => controlPlane.event(request.target.id, request.params.seq),
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
