import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { roleSchema } from '../../domain/access.ts';
import { installation } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { problems } from '../schemas.ts';

const personSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    kind: z.enum(['person', 'service']),
    disabled: z.boolean(),
    source: z
      .enum(['default', 'file', 'database', 'sign-in'])
      .describe('`file`: read-only here. `sign-in`: nobody wrote an entry, the person was only seen.'),
    roles: z.array(
      z.object({
        role: roleSchema,
        project: z.string().nullable().describe('Null: on the installation and every project.'),
        group: z.string().nullable(),
        sentence: z.string(),
      }),
    ),
    via: z.string().nullable().describe('The way in that was used last.'),
    lastSeenAt: z.string().nullable(),
  })
  .meta({ id: 'Person' });

/** Who there is. People are changed through the configuration. */
export function peopleRoutes(app: FastifyInstance, { people }: ApiContext): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    '/people',
    {
      config: installation('people.read'),
      schema: {
        operationId: 'listPeople',
        summary: 'People and service accounts with their roles and where each role comes from.',
        response: { 200: z.object({ people: z.array(personSchema) }), ...problems },
      },
    },
    async () => {
      const list = (await people?.list()) ?? [];
      return {
        people: list.map(({ lastSeenAt, roles, ...person }) => ({
          ...person,
          roles: [...roles],
          lastSeenAt: lastSeenAt?.toISOString() ?? null,
        })),
      };
    },
  );
}
