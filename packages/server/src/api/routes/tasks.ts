import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { decide, sees, type Principal } from '../../domain/access.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { maxTaskCharacters, runOptionsSchema } from '../../domain/task.ts';
import { taskRowSchema } from '../../domain/run-views.ts';
import { runViewSchema, taskViewSchema } from '../../domain/views.ts';
import { requirePermission } from '../access/authorise.ts';
import { listOf, newIn, on } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { rowQuery, rowQuerySchema, sendProjected } from '../row-query.ts';
import { idParams, problems } from '../schemas.ts';

/** A text of the longest size, escaped character by character, and a whole blueprint file still fit. */
const taskBodyBytes = 4 * 1_048_576;

const createSchema = z.strictObject({
  repository: z
    .string()
    .min(1)
    .max(4_096)
    .describe('A URL git understands, or an absolute path on the host of the worker.'),
  text: z.string().describe(`What is to be done; 1 to ${maxTaskCharacters} characters.`),
  options: runOptionsSchema.prefault({}),
  origin: z.enum(['cli', 'api']).default('api'),
});

const nothingYet = { projectId: null, ownerId: null };

/**
 * Of a repository that nobody has named yet, a project is made: that takes a right of its own. Whoever lacks it is
 * answered the same for a foreign project, for a repository that is not there, and for one that is no project.
 * @throws BerthError `FORBIDDEN`; `REPO_*` for whoever may make projects
 */
async function requireTaskCreate(
  controlPlane: ApiContext['controlPlane'],
  principal: Principal,
  repository: string,
): Promise<void> {
  const mayMake = decide(principal, 'project.create', nothingYet) === 'granted';
  const projectId = await controlPlane.projectOfRepository(repository).catch((error: unknown) => {
    if (mayMake || !(error instanceof BerthError && error.code.startsWith('REPO_'))) throw error;
    return null;
  });
  if (projectId === null || !sees(principal, projectId)) {
    requireProjectCreate(principal);
  } else requirePermission(principal, 'task.create', { projectId, ownerId: null });
}

function requireProjectCreate(principal: Principal): void {
  try {
    requirePermission(principal, 'project.create', nothingYet);
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    // The same words for a foreign project and for none.
    throw new BerthError(error.code, error.message, {
      next: 'You have no project of this repository. An admin makes one with `berth projects add`, or gives you a role on it.',
      details: error.details,
    });
  }
}

/** Creating and reading tasks. */
export function taskRoutes(app: FastifyInstance, { controlPlane }: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.post(
    '/tasks',
    {
      bodyLimit: taskBodyBytes,
      config: { ...newIn('task.create'), idempotency: 'own' },
      schema: {
        operationId: 'createTask',
        summary: 'Creates a task and queues its first run.',
        headers: z.object({
          'idempotency-key': z
            .string()
            .min(1)
            .max(200)
            .optional()
            .describe('The same key answers the same task instead of making a second one.'),
        }),
        body: createSchema,
        response: { 201: z.object({ task: taskViewSchema, run: runViewSchema }), ...problems },
      },
    },
    async (request, reply) => {
      const { repository, text, options, origin } = request.body;
      // Paths on this machine: whoever came over the unix socket is this account, others only hold a token.
      if (request.principal.via !== 'socket' && (options.cassette !== null || options.record !== null)) {
        throw new BerthError('USAGE', 'Only a local caller may name a cassette.', {
          next: 'Leave `cassette` and `record` out, or call over the unix socket.',
        });
      }
      await requireTaskCreate(controlPlane, request.principal, repository);
      const created = await controlPlane.createTask({
        repository,
        text,
        options,
        origin: { kind: origin, by: request.principal.id },
        idempotencyKey: request.headers['idempotency-key'] ?? null,
      });
      return reply.code(201).send(created);
    },
  );
  routes.get(
    '/tasks',
    {
      config: { ...listOf('run.read'), etag: true },
      schema: {
        operationId: 'listTasks',
        summary:
          'Tasks with the state of their newest run, newest first; with `fields`, rows have only these members.',
        querystring: rowQuerySchema,
        response: {
          200: z.object({ tasks: z.array(taskRowSchema), next: z.string().nullable() }),
          ...problems,
        },
      },
    },
    async (request, reply) => {
      const { tasks, next } = await controlPlane.listTaskRows(rowQuery(request, request.query));
      const { fields } = request.query;
      if (fields === undefined) return { tasks: [...tasks], next };
      return sendProjected(reply, 'tasks', { rows: tasks, next }, fields, taskRowSchema);
    },
  );
  routes.get(
    '/tasks/:id',
    {
      config: { ...on('task', 'run.read'), etag: true },
      schema: {
        operationId: 'getTask',
        summary: 'One task.',
        params: idParams,
        response: { 200: taskViewSchema, ...problems },
      },
    },
    async (request) => controlPlane.getTask(request.target.id),
  );
}
