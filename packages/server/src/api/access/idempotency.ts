import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Principal } from '../../domain/access.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { Database } from '../../store/database.ts';
import {
  beginRequest,
  releaseRequest,
  settleRequest,
  type Begun,
  type KeptAnswer,
  type RequestKey,
} from '../../store/tokens/idempotent-requests.ts';

/**
 * What a POST route does about a key that comes again. By default the first answer is kept and sent again.
 * - `secret`: the answer holds a secret and is never kept; the request is still carried out only once.
 * - `own`: what the handler makes carries the key itself, so that a request whose server died may be carried out
 *   again at once.
 */
export type IdempotencyKind = 'secret' | 'own';

declare module 'fastify' {
  interface FastifyContextConfig {
    idempotency?: IdempotencyKind;
  }
  interface FastifyRequest {
    /** The key that this request has taken; null when it carries none. */
    takenKey: RequestKey | null;
  }
}

/** Where keys are kept. */
export interface IdempotencyStore {
  begin(at: RequestKey, bodyHash: string): Promise<Begun>;
  settle(at: RequestKey, answer: KeptAnswer): Promise<void>;
  release(at: RequestKey): Promise<void>;
}

export function idempotencyIn(db: Database): IdempotencyStore {
  return {
    begin: (at, bodyHash) => beginRequest(db, at, bodyHash),
    settle: (at, answer) => settleRequest(db, at, answer),
    release: (at) => releaseRequest(db, at),
  };
}

/** Larger answers are not kept: their requests are carried out once and answer that afterwards. */
const mostKeptBytes = 1_048_576;

export const idempotencyKeySchema = z
  .string()
  .regex(/^[\x21-\x7e]{1,200}$/, 'one to 200 visible ASCII characters')
  .describe('Repeats of a request with the same key answer as the first did, for a day.');

/**
 * Honours `Idempotency-Key` on every POST: per principal (per token, for tokens) and route. The hook stands behind
 * `guardRoutes`, so that who lost a right gets no earlier answer. Answers that are not final (5xx, 409, 429) give
 * the key back. Without a store the header is only documented and handlers see it.
 */
export function honourIdempotencyKeys(app: FastifyInstance, store: IdempotencyStore | undefined): void {
  app.decorateRequest('takenKey', null);
  app.addHook('onRoute', (route) => {
    if (![route.method].flat().includes('POST')) return;
    const schema = (route.schema ??= {});
    // Other headers pass through: validation replaces them by what the schema answers.
    schema.headers ??= z.looseObject({ 'idempotency-key': idempotencyKeySchema.optional() });
  });
  if (store === undefined) return;
  app.addHook('preHandler', async (request, reply) => {
    const key = request.raw.headers['idempotency-key'];
    const { access, idempotency } = request.routeOptions.config;
    if (request.method !== 'POST' || access === undefined) return;
    if (access.kind === 'public' || access.kind === 'signature') return;
    if (key === undefined) return;
    const at: RequestKey = {
      principal: keyHolder(request.principal),
      route: `POST ${request.routeOptions.url ?? ''}`,
      key: checkedKey(String(key)),
    };
    const begun = await store.begin(at, hashOf(request));
    switch (begun.kind) {
      case 'first':
        request.takenKey = at;
        return;
      case 'other-body':
        throw new BerthError('IDEMPOTENCY_KEY_REUSED');
      case 'under-way':
        if (idempotency === 'own') return;
        throw new BerthError('IDEMPOTENCY_UNDER_WAY', undefined, { details: { retryAfterS: 1 } });
      case 'answered': {
        const { status, contentType, body } = begun.answer;
        if (body === null) throw new BerthError('IDEMPOTENCY_ANSWER_NOT_KEPT');
        return reply
          .code(status)
          .type(contentType)
          .header('idempotency-replayed', 'true')
          .serializer((text: string) => text)
          .send(body);
      }
    }
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const at = request.takenKey;
    if (at === null) return payload;
    request.takenKey = null;
    // An answer that cannot be kept is sent all the same; its key counts as under way for a while.
    await keep(store, at, request, reply.statusCode, reply.getHeader('content-type'), payload).catch(
      () => undefined,
    );
    return payload;
  });
}

async function keep(
  store: IdempotencyStore,
  at: RequestKey,
  request: FastifyRequest,
  status: number,
  contentType: unknown,
  payload: unknown,
): Promise<void> {
  if (status >= 500 || [401, 403, 404, 408, 409, 425, 429].includes(status)) return store.release(at);
  const isText = typeof payload === 'string' && Buffer.byteLength(payload) <= mostKeptBytes;
  const isSecret = request.routeOptions.config.idempotency === 'secret' && status < 400;
  await store.settle(at, {
    status,
    contentType: typeof contentType === 'string' ? contentType : 'application/json',
    body: isText && !isSecret ? payload : null,
  });
}

function checkedKey(text: string): string {
  const { success } = idempotencyKeySchema.safeParse(text);
  if (!success) throw new BerthError('USAGE', 'Idempotency-Key: one to 200 visible ASCII characters');
  return text;
}

/** A token narrows its owner: it must not be answered what another credential of the owner was. */
function keyHolder({ id, tokenId }: Principal): string {
  return tokenId === null ? id : `${id} ${tokenId}`;
}

/** Of the whole address and the body, whatever the order of its members. */
function hashOf(request: FastifyRequest): string {
  return createHash('sha256')
    .update(`${request.url}\n${canonical(request.body ?? null)}`)
    .digest('hex');
}

function canonical(value: unknown): string {
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`);
  return `{${members.join(',')}}`;
}
