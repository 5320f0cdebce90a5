import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { publicRoute } from '../access/route-access.ts';
import { pagePolicy } from '../access/security-headers.ts';
import type { ApiContext } from '../options.ts';
import { signInOf } from './sign-in.ts';

const files = [
  ['/sign-in', 'sign-in.html', 'text/html; charset=utf-8'],
  ['/sign-in/page.css', 'sign-in.css', 'text/css; charset=utf-8'],
  ['/sign-in/page.js', 'sign-in.js', 'text/javascript; charset=utf-8'],
] as const;

/** The page that signs people in, without the web interface: three small files, no inline code, nothing from elsewhere. */
export function signInPageRoutes(app: FastifyInstance, context: ApiContext): void {
  for (const [url, name, type] of files) {
    app.get(url, { config: publicRoute, schema: { hide: true } }, async (_, reply) => {
      signInOf(context);
      const text = await readFile(join(import.meta.dirname, '..', 'pages', name), 'utf8');
      return reply.type(type).header('content-security-policy', pagePolicy).send(text);
    });
  }
}
