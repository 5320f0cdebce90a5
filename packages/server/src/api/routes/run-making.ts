import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { runLimitsSchema, type RunLimits } from '../../domain/limits.ts';
import { checkpointPlaceSchema } from '../../domain/run-views.ts';
import { runViewSchema, taskViewSchema } from '../../domain/views.ts';
import { on } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { idParams, problems } from '../schemas.ts';

const textSchema = z.string().trim().min(1).max(20_000);

/** Making runs from runs. */
export function runMakingRoutes(app: FastifyInstance, { controlPlane }: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.post(
    '/runs/:id/retry',
    {
      config: on('run', 'run.act'),
      schema: {
        operationId: 'retryRun',
        summary: 'Another attempt at the same task, on its branch and for its pull request.',
        params: idParams,
        body: z
          .strictObject({
            base: z
              .enum(['same', 'newest'])
              .default('same')
              .describe('The commit the run worked on, or what its branch is now.'),
            text: textSchema.optional().describe('Added to the task for this attempt.'),
            limits: runLimitsSchema.partial().optional(),
          })
          .nullish(),
        response: { 201: runViewSchema, ...problems },
      },
    },
    async (request, reply) => {
      const { base = 'same', text = null, limits } = request.body ?? {};
      const run = await controlPlane.retry(request.target.id, {
        by: request.principal.id,
        base,
        instruction: text,
        limits: given(limits),
      });
      return reply.code(201).send(run);
    },
  );
  routes.post(
    '/runs/:id/branch-off',
    {
      config: on('run', 'run.act'),
      schema: {
        operationId: 'branchOffRun',
        summary: 'A new task that begins with the working tree of a checkpoint, on a branch of its own.',
        params: idParams,
        body: z
          .strictObject({
            seq: z
              .int()
              .min(1)
              .max(2_147_483_647)
              .optional()
              .describe('An entry: the nearest checkpoint at or before it. Without it: the newest.'),
            text: textSchema.optional().describe('Added to the task.'),
            limits: runLimitsSchema.partial().optional(),
          })
          .nullish(),
        response: {
          201: z.object({ task: taskViewSchema, run: runViewSchema, place: checkpointPlaceSchema }),
          ...problems,
        },
      },
    },
    async (request, reply) => {
      const { seq = null, text = null, limits } = request.body ?? {};
      const made = await controlPlane.branchOff(request.target.id, {
        by: request.principal.id,
        seq,
        instruction: text,
        limits: given(limits),
      });
      return reply.code(201).send({ ...made });
    },
  );
}

/** Limits that were named; what was left out stays as it was. */
function given(
  limits: { readonly [Name in keyof RunLimits]?: RunLimits[Name] | undefined } = {},
): Partial<RunLimits> {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}
