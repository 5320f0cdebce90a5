import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { runLimitsSchema, type RunLimits } from '../../domain/limits.ts';
import { runViewSchema } from '../../domain/views.ts';
import { on } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { idParams, problems } from '../schemas.ts';

const runAnswer = { 200: runViewSchema, ...problems };

/** What a person can do to a run. */
export function runActRoutes(app: FastifyInstance, { controlPlane }: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.post(
    '/runs/:id/cancel',
    {
      config: on('run', 'run.act'),
      schema: {
        operationId: 'cancelRun',
        summary: 'Ends a run; its work so far is kept.',
        params: idParams,
        body: z.strictObject({}).nullish(),
        response: runAnswer,
      },
    },
    async (request) => controlPlane.cancel(request.target.id, request.principal.id),
  );
  routes.post(
    '/runs/:id/pause',
    {
      config: on('run', 'run.act'),
      schema: {
        operationId: 'pauseRun',
        summary: 'Holds a run until it is resumed.',
        params: idParams,
        body: z.strictObject({ reason: z.string().min(1).max(500).optional() }).nullish(),
        response: runAnswer,
      },
    },
    async (request) =>
      controlPlane.pause(
        request.target.id,
        request.principal.id,
        request.body?.reason ?? `Paused by ${request.principal.id}`,
      ),
  );
  routes.post(
    '/runs/:id/resume',
    {
      config: on('run', 'run.act'),
      schema: {
        operationId: 'resumeRun',
        summary: 'Goes on after a pause, a crash, or an end by a limit or for a person.',
        params: idParams,
        body: z.strictObject({ limits: runLimitsSchema.partial().optional() }).nullish(),
        response: runAnswer,
      },
    },
    async (request) =>
      controlPlane.resume(
        request.target.id,
        request.principal.id,
        Object.fromEntries(
          Object.entries(request.body?.limits ?? {}).filter(([, value]) => value !== undefined),
        ) as Partial<RunLimits>,
      ),
  );
  routes.post(
    '/runs/:id/messages',
    {
      config: on('run', 'run.act'),
      schema: {
        operationId: 'steerRun',
        summary: 'Says something to the agent, now or after its step.',
        params: idParams,
        body: z.strictObject({
          text: z.string().trim().min(1).max(20_000),
          mode: z.enum(['now', 'after_step']).default('now'),
        }),
        response: { 202: z.object({ messageId: z.string() }), ...problems },
      },
    },
    async (request, reply) => {
      const { text, mode } = request.body;
      return reply
        .code(202)
        .send(await controlPlane.steer(request.target.id, request.principal.id, text, mode));
    },
  );
}
