import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { projectRowSchema, projectViewSchema } from '../../config/project-views.ts';
import { decide, visibleProjects } from '../../domain/access.ts';
import { listOf, on } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { limitSchema, problems } from '../schemas.ts';
import { expectedVersion, noteChange, planeOf, versionHeaders, withVersion } from './config.ts';

/** No control characters: the database knows none of them. */
const nameSchema = z.string().regex(/^\P{Cc}{1,512}$/u, 'a name without control characters');
const params = z.object({ id: nameSchema.describe('An id or a name.') });

/** Projects with every setting that their runs go by. They are made in the configuration, or by a first task. */
export function projectRoutes(app: FastifyInstance, context: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    '/projects',
    {
      config: listOf('project.read'),
      schema: {
        operationId: 'listProjects',
        summary: 'The projects one may see, by name.',
        querystring: z.object({ limit: limitSchema(200, 50), cursor: nameSchema.optional() }),
        response: {
          200: z.object({ projects: z.array(projectRowSchema), next: z.string().nullable() }),
          ...problems,
        },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      const found = await planeOf(context).listProjects({
        visible: visibleProjects(request.principal),
        limit,
        ...(cursor === undefined ? {} : { after: cursor }),
      });
      return { projects: [...found], next: found.length === limit ? (found.at(-1)?.name ?? null) : null };
    },
  );
  routes.get(
    '/projects/:id',
    {
      config: on('project', 'project.read'),
      schema: {
        operationId: 'getProject',
        summary: 'One project, with each setting, where it comes from and its key.',
        params,
        response: { 200: projectViewSchema, ...problems },
      },
    },
    async (request, reply) => {
      const { view, version } = await planeOf(context).project(request.target.id);
      withVersion(reply, version);
      return view;
    },
  );
  routes.put(
    '/projects/:id/settings',
    {
      config: on('project', 'project.configure'),
      schema: {
        operationId: 'configureProject',
        summary:
          'Replaces the settings of a project in the layer of the API, within what its maintainers may change.',
        params,
        headers: versionHeaders,
        body: z.record(z.string(), z.unknown()),
        response: { 200: z.object({ version: z.string().nullable(), revision: z.number() }), ...problems },
      },
    },
    async (request, reply) => {
      const installation = { projectId: null, ownerId: null };
      const { id } = request.target;
      const { version, revision, before } = await planeOf(context).configureProject({
        id,
        value: request.body,
        expected: expectedVersion(request.headers),
        by: request.principal.id,
        unbounded: decide(request.principal, 'config.write', installation) === 'granted',
      });
      noteChange(request, { kind: 'project', id, projectId: id }, { before, after: request.body, revision });
      withVersion(reply, version);
      return { version, revision };
    },
  );
}
