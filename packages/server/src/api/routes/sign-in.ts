import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { assertOwnSite } from '../../access/sign-in/csrf.ts';
import type { SignIn } from '../../access/sign-in/index.ts';
import { returnPath } from '../../access/sign-in/return-path.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { incomingOf } from '../access/incoming-request.ts';
import { publicRoute, signedIn } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { problems } from '../schemas.ts';

const methodsSchema = z
  .object({
    oidc: z.object({ name: z.string() }).nullable().describe('Begin at `GET /auth/oidc/start`.'),
    cloudflareAccess: z.boolean(),
    trustedHeader: z.boolean(),
    link: z.boolean().describe('One-time links of the account that runs this server.'),
  })
  .meta({ id: 'SignInMethods' });

/** Sessions are put on record where they begin and end. */
export const recorded = { audit: { recordedByHandler: true } } as const;

const endedSchema = z.object({ ended: z.int().min(0).describe('Sessions that ended.') });

/** Ways in and out for people; the web page that uses them is in `sign-in-page.ts`. */
export function signInRoutes(app: FastifyInstance, context: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    '/auth/methods',
    {
      config: publicRoute,
      schema: {
        operationId: 'listSignInMethods',
        summary: 'The ways to sign in that are set up.',
        response: { 200: methodsSchema, ...problems },
      },
    },
    async () => signInOf(context).methods(),
  );
  routes.post(
    '/auth/link',
    {
      config: { ...publicRoute, ...recorded },
      schema: {
        operationId: 'signInByLink',
        summary: 'Signs a browser in with the code of a one-time link.',
        body: z.strictObject({
          code: z.string().min(1).max(200),
          returnTo: z.string().max(2_000).optional(),
        }),
        response: {
          200: z.object({ id: z.string(), name: z.string(), csrf: z.string(), returnTo: z.string() }),
          ...problems,
        },
      },
    },
    async (request, reply) => {
      const signIn = signInOf(context);
      const incoming = incomingOf(request);
      assertOwnSite(signIn.place(), incoming);
      const { principal, csrf, cookies } = await signIn.useLink(incoming, request.body.code);
      reply.header('set-cookie', [...cookies]);
      return { id: principal.id, name: principal.name, csrf, returnTo: returnPath(request.body.returnTo) };
    },
  );
  routes.post(
    '/auth/sign-out',
    {
      config: { ...signedIn, ...recorded },
      schema: {
        operationId: 'signOut',
        summary: 'Ends the session of this browser and whatever it has open.',
        response: { 200: endedSchema, ...problems },
      },
    },
    async (request, reply) => {
      const { sessionId } = request.principal;
      if (sessionId === null) return { ended: 0 };
      const answer = await signInOf(context).signOut(incomingOf(request), request.principal, { sessionId });
      reply.header('set-cookie', [...answer.cookies]);
      return { ended: answer.ended };
    },
  );
  routes.post(
    '/auth/sign-out-everywhere',
    {
      config: { ...signedIn, ...recorded },
      schema: {
        operationId: 'signOutEverywhere',
        summary: 'Ends all sessions of whoever asks, in every browser, and whatever they have open.',
        response: { 200: endedSchema, ...problems },
      },
    },
    async (request, reply) => {
      const { principal } = request;
      // A token acts for its owner within its scope; throwing its owner out is not part of it.
      if (principal.via === 'token') throw new BerthError('FORBIDDEN', 'A token cannot end sessions.');
      const answer = await signInOf(context).signOut(incomingOf(request), principal, 'everywhere');
      reply.header('set-cookie', [...answer.cookies]);
      return { ended: answer.ended };
    },
  );
}

/** @throws BerthError `SIGN_IN_NOT_CONFIGURED` on a listener where nobody signs in (the unix socket) */
export function signInOf({ signIn }: Pick<ApiContext, 'signIn'>): SignIn {
  if (signIn === null) {
    throw new BerthError('SIGN_IN_NOT_CONFIGURED', 'Nobody signs in here: this listener knows its callers.');
  }
  return signIn;
}
