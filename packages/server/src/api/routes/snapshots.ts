import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { projectSnapshotsViewSchema, snapshotsClearedSchema } from '../../domain/snapshot-views.ts';
import { on } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { problems } from '../schemas.ts';

const params = z.object({
  id: z.string().regex(/^\P{Cc}{1,512}$/u, 'a name without control characters'),
});

/** The snapshots of setup that a project has. Nobody reads what is in one: only sandboxes of the project get it. */
export function snapshotRoutes(app: FastifyInstance, { controlPlane }: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    '/projects/:id/snapshots',
    {
      config: on('project', 'project.read'),
      schema: {
        operationId: 'listSnapshots',
        summary:
          'The snapshots of setup of a project: when and by which run each was made, its size, its last use.',
        params,
        response: { 200: projectSnapshotsViewSchema, ...problems },
      },
    },
    async (request) => controlPlane.snapshots.list(request.target.id),
  );
  routes.delete(
    '/projects/:id/snapshots',
    {
      config: on('project', 'project.configure'),
      schema: {
        operationId: 'clearSnapshots',
        summary: 'Forgets all snapshots of setup of a project; its next run runs its setup.',
        params,
        response: { 200: snapshotsClearedSchema, ...problems },
      },
    },
    async (request) => {
      const cleared = await controlPlane.snapshots.clear(request.target.id);
      if (request.audited !== null) request.audited.details = cleared;
      return cleared;
    },
  );
}
