import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { incomingOf } from '../access/incoming-request.ts';
import { publicRoute } from '../access/route-access.ts';
import { pagePolicy } from '../access/security-headers.ts';
import type { ApiContext } from '../options.ts';
import { refusalPage } from '../pages/refusal-page.ts';
import { problemOf, toBerthError } from '../problem.ts';
import { signInOf } from './sign-in.ts';

/** The two stations of a browser on its way through an OpenID Connect provider. Both are plain navigations. */
export function oidcRoutes(app: FastifyInstance, context: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    '/auth/oidc/start',
    {
      config: publicRoute,
      schema: { hide: true, querystring: z.object({ returnTo: z.string().max(4_000).optional() }) },
    },
    async (request, reply) => {
      try {
        const answer = await signInOf(context).startOidc(incomingOf(request), request.query.returnTo);
        return reply.header('set-cookie', [...answer.cookies]).redirect(answer.url, 303);
      } catch (error) {
        return refuse(request, reply, error);
      }
    },
  );
  routes.get(
    '/auth/oidc/callback',
    { config: publicRoute, schema: { hide: true } },
    async (request, reply) => {
      const query = request.url.split('?').slice(1).join('?');
      try {
        const { cookies, returnTo } = await signInOf(context).finishOidc(incomingOf(request), query);
        return reply.header('set-cookie', [...cookies]).redirect(returnTo, 303);
      } catch (error) {
        const forgotten = context.signIn?.forgetLogin(incomingOf(request), query) ?? [];
        if (forgotten.length > 0) reply.header('set-cookie', [...forgotten]);
        return refuse(request, reply, error);
      }
    },
  );
}

/** A plain page for people, a problem document for programs. */
async function refuse(request: FastifyRequest, reply: FastifyReply, error: unknown): Promise<unknown> {
  if (request.headers.accept?.includes('text/html') !== true) throw error;
  const problem = problemOf(toBerthError(error), request.id);
  return reply
    .code(problem.status)
    .header('content-security-policy', pagePolicy)
    .type('text/html; charset=utf-8')
    .send(refusalPage(problem));
}
