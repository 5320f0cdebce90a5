import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  decide,
  permissions,
  permissionSchema,
  roleOn,
  roleSchema,
  sees,
  type Permission,
  type Principal,
  type Reach,
} from '../../domain/access.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { incomingOf } from '../access/incoming-request.ts';
import { signedIn } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { problems } from '../schemas.ts';
import { recorded, signInOf } from './sign-in.ts';

const grantedSchema = z.object({
  permission: permissionSchema,
  reach: z.enum(['any', 'own']).describe('`own`: only on what oneself handed in.'),
});

const sessionSchema = z
  .object({
    id: z.string(),
    via: z.string(),
    current: z.boolean().describe('The one this request came by.'),
    createdAt: z.string(),
    lastUsedAt: z.string(),
    address: z.string().nullable(),
    agent: z.string().nullable(),
  })
  .meta({ id: 'Session' });

const meSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    kind: z.enum(['person', 'service', 'local']),
    via: z.string(),
    globalRole: roleSchema.nullable(),
    permissions: z.array(grantedSchema).describe('On the installation and every project.'),
    projects: z.array(
      z.object({
        id: z.string(),
        name: z.string().nullable(),
        role: roleSchema,
        permissions: z.array(grantedSchema),
      }),
    ),
    csrf: z
      .string()
      .nullable()
      .describe('Header X-Berth-Csrf of requests that change something; null where none is needed.'),
    sessions: z.array(sessionSchema),
  })
  .meta({ id: 'Me' });

/** Whoever asks, about themselves. */
export function meRoutes(app: FastifyInstance, context: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    '/me',
    {
      config: signedIn,
      schema: {
        operationId: 'getMe',
        summary: 'Who asks: roles, permissions, sessions, and the value that protects changes.',
        response: { 200: meSchema, ...problems },
      },
    },
    async ({ principal }) => {
      const { signIn, people } = context;
      const isBrowser = signIn !== null && principal.via !== 'token' && principal.via !== 'socket';
      const ids = Object.keys(principal.projectRoles).filter((id) => sees(principal, id));
      const names = (await people?.projectNames(ids)) ?? {};
      const sessions = isBrowser ? await signIn.sessionsOf(principal) : [];
      return {
        id: principal.id,
        name: principal.name,
        kind: principal.kind,
        via: principal.via,
        globalRole: principal.globalRole,
        permissions: grantedTo(principal, null),
        projects: ids.map((id) => ({
          id,
          name: names[id] ?? null,
          role: roleOn(principal, id) ?? ('viewer' as const),
          permissions: grantedTo(principal, id),
        })),
        csrf: isBrowser ? await signIn.csrfOf(principal) : null,
        sessions: sessions.map(({ createdAt, lastUsedAt, ...session }) => ({
          ...session,
          current: session.id === principal.sessionId,
          createdAt: createdAt.toISOString(),
          lastUsedAt: lastUsedAt.toISOString(),
        })),
      };
    },
  );
  routes.delete(
    '/me/sessions/:sessionId',
    {
      config: { ...signedIn, ...recorded },
      schema: {
        operationId: 'endSession',
        summary: 'Ends one of the sessions of whoever asks.',
        params: z.object({ sessionId: z.string().regex(/^n-[0-9a-z]{1,40}$/) }),
        response: { 200: z.object({ ended: z.int() }), ...problems },
      },
    },
    async (request, reply) => {
      const { principal } = request;
      if (principal.via === 'token') throw new BerthError('FORBIDDEN', 'A token cannot end sessions.');
      const which = { sessionId: request.params.sessionId };
      const answer = await signInOf(context).signOut(incomingOf(request), principal, which);
      if (answer.ended === 0) throw new BerthError('NOT_FOUND', 'There is no such session of yours.');
      if (answer.cookies.length > 0) reply.header('set-cookie', [...answer.cookies]);
      return { ended: answer.ended };
    },
  );
}

interface Granted {
  readonly permission: Permission;
  readonly reach: Reach;
}

/** What somebody may do, and to what it reaches. Pure. */
function grantedTo(principal: Principal, projectId: string | null): Granted[] {
  return permissions.flatMap((permission): Granted[] => {
    const may = (ownerId: string | null) =>
      decide(principal, permission, { projectId, ownerId }) === 'granted';
    if (may(null)) return [{ permission, reach: 'any' }];
    return may(principal.id) ? [{ permission, reach: 'own' }] : [];
  });
}
