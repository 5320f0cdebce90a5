import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Tokens } from '../../access/tokens.ts';
import { decide, permissionSchema, visibleProjects, type Principal } from '../../domain/access.ts';
import { nameSchema } from '../../domain/config/index.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { defaultTokenDays, maxTokenDays, tokenViewSchema, type TokenView } from '../../domain/token.ts';
import { requirePermission } from '../access/authorise.ts';
import { signedIn } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { problems } from '../schemas.ts';

const createSchema = z.strictObject({
  purpose: z.string().trim().min(1).max(200).describe('What it is for; people read it.'),
  projects: z
    .array(z.string().min(1).max(4_096))
    .min(1)
    .max(500)
    .nullable()
    .default(null)
    .describe('Ids, names or repositories; null: every project its owner may see.'),
  permissions: z
    .array(permissionSchema)
    .min(1)
    .nullable()
    .default(null)
    .describe('Null: all that its owner has.'),
  days: z.number().positive().max(maxTokenDays).default(defaultTokenDays).describe('Days it lives.'),
  serviceAccount: nameSchema
    .nullable()
    .default(null)
    .describe('Makes it for a service account of the configuration; takes the permission people.manage.'),
});

const createdSchema = z.object({
  token: tokenViewSchema,
  secret: z.string().describe('The token itself. It is shown this once and is nowhere stored.'),
  preview: z.array(z.string()).describe('What it can do now, in sentences.'),
});

const tokenParams = z.object({ id: z.string().regex(/^k-[0-9a-z]{1,40}$/, 'the whole id of a token') });
const installationObject = { projectId: null, ownerId: null };

/** Tokens: one's own, and those of all for who manages people. */
export function tokenRoutes(app: FastifyInstance, context: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  const tokensOf = (): Tokens => {
    if (context.tokens === undefined) throw new BerthError('NOT_FOUND', 'This server keeps no tokens.');
    return context.tokens;
  };
  routes.post(
    '/tokens',
    {
      // The answer holds the secret: it is not kept for a request that comes again.
      config: { ...signedIn, idempotency: 'secret' },
      schema: {
        operationId: 'createToken',
        summary: 'Makes a token; the answer shows its secret this once.',
        body: createSchema,
        response: { 201: createdSchema, ...problems },
      },
    },
    async (request, reply) => {
      const { projects, ...wish } = request.body;
      const { principal } = request;
      if (wish.serviceAccount !== null) requirePermission(principal, 'people.manage', installationObject);
      const visible = visibleProjects(principal);
      const ids =
        projects === null
          ? null
          : await Promise.all(
              projects.map(async (text) => (await context.controlPlane.locate('project', text, visible)).id),
            );
      const created = await tokensOf().create(principal, {
        ...wish,
        projects: ids === null ? null : [...new Set(ids)],
      });
      const { owner, purpose, permissions, expiresAt } = created.token;
      if (request.audited !== null) {
        request.audited.details = { owner, purpose, projects: ids, permissions, expiresAt };
      }
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ...created, preview: [...created.preview] });
    },
  );
  routes.get(
    '/tokens',
    {
      config: signedIn,
      schema: {
        operationId: 'listTokens',
        summary: 'Own tokens, or those of all for who manages people. A token sees itself alone.',
        querystring: z.object({ all: z.enum(['true', 'false']).default('false') }),
        response: { 200: z.object({ tokens: z.array(tokenViewSchema) }), ...problems },
      },
    },
    async (request) => {
      const { principal } = request;
      if (request.query.all === 'true') {
        requirePermission(principal, 'people.manage', installationObject);
        return { tokens: [...(await tokensOf().list({}))] };
      }
      const own =
        principal.tokenId === null ? { owner: principal.id } : { owner: principal.id, id: principal.tokenId };
      return { tokens: [...(await tokensOf().list(own))] };
    },
  );
  routes.delete(
    '/tokens/:id',
    {
      config: signedIn,
      schema: {
        operationId: 'revokeToken',
        summary: 'Revokes a token at once; what it has opened ends.',
        params: tokenParams,
        response: { 200: tokenViewSchema, ...problems },
      },
    },
    async (request) => {
      const { principal } = request;
      const { id } = request.params;
      const token = await tokensOf().get(id);
      if (token === null || !mayRevoke(principal, token)) throw noToken(id);
      if (request.audited !== null) request.audited.details = { owner: token.owner };
      const revoked = await tokensOf().revoke(principal, id);
      if (revoked === null) throw noToken(id);
      return revoked;
    },
  );
}

/** A token may only end itself, unless it manages people. */
function mayRevoke(principal: Principal, token: TokenView): boolean {
  if (decide(principal, 'people.manage', installationObject) === 'granted') return true;
  return principal.tokenId === null ? token.owner === principal.id : token.id === principal.tokenId;
}

function noToken(id: string): BerthError {
  return new BerthError('NOT_FOUND', `There is no token ${id}.`, {
    next: 'List them: `berth tokens --all`.',
  });
}
