import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The answer carries an ETag; whoever has it already is answered 304 without a body. */
    etag?: boolean;
  }
}

/** For routes that are polled: answers 304 when the reader's `If-None-Match` is the ETag of what would be answered. */
export function answerUnchanged(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply, payload) => {
    if (request.routeOptions.config.etag !== true || reply.statusCode !== 200) return payload;
    if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return payload;
    const tag = `W/"${createHash('sha256').update(payload).digest('base64url').slice(0, 27)}"`;
    // What one principal may see another may not: only the reader's own cache may keep it, and has to ask.
    reply.header('etag', tag).header('cache-control', 'private, no-cache');
    const known = request.headers['if-none-match'];
    if (known === undefined || !matches(known, tag)) return payload;
    reply.code(304).removeHeader('content-length').removeHeader('content-type');
    return null;
  });
}

/** Weak comparison (RFC 9110, 8.8.3.2). */
function matches(header: string, tag: string): boolean {
  const plain = (one: string): string => one.trim().replace(/^W\//, '');
  return header.split(',').some((one) => one.trim() === '*' || plain(one) === plain(tag));
}
