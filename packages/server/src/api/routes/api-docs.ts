import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { signedIn } from '../access/route-access.ts';

/** Its own scripts and nothing else; the reference puts its style sheet into the page itself. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const page = (name: string): Promise<string> =>
  readFile(join(import.meta.dirname, '..', 'pages', name), 'utf8');

/** The API reference (Scalar), from our own origin: a page, a script that starts it, and Scalar's own script. */
export function apiDocsRoutes(app: FastifyInstance): void {
  const hidden = { config: signedIn, schema: { hide: true } } as const;
  const script = (reply: FastifyReply, text: string): FastifyReply =>
    reply.type('text/javascript; charset=utf-8').header('cache-control', 'private, max-age=3600').send(text);
  app.get('/api/docs', hidden, async (_, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', policy)
      .send(await page('api-docs.html')),
  );
  app.get('/api/docs/start.js', hidden, async (_, reply) => script(reply, await page('api-docs.js')));
  let scalar: Promise<string> | null = null;
  app.get('/api/docs/scalar.js', hidden, async (_, reply) => {
    scalar ??= scalarScript();
    return script(reply, await scalar);
  });
}

/**
 * Scalar's script, which its package only hands out as a route of a plugin: asked once of an instance that nobody
 * listens to, so that the plugin's routes do not stand among ours. Loaded when somebody looks (4 MB).
 */
async function scalarScript(): Promise<string> {
  const { default: plugin } = await import('@scalar/fastify-api-reference');
  const inner = fastify({ logger: false });
  await inner.register(plugin, {
    routePrefix: '/reference',
    configuration: { content: { openapi: '3.1.0', info: { title: 'Berth', version: '1' }, paths: {} } },
  });
  const answer = await inner.inject('/reference/js/scalar.js');
  await inner.close();
  return answer.body;
}
