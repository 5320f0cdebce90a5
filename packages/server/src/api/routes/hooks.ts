import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { networkOf } from '../../access/failed-attempts.ts';
import { systemClock } from '../../domain/clock.ts';
import type { DeliveryEntrance } from '../../domain/deliveries.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { HookDoor } from '../../triggers/deliveries/receive.ts';
import { buckets } from '../access/rate-limits.ts';
import { bySignature } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { problems } from '../schemas.ts';

/** No hook takes more; refused before anything is read. */
const mostBytes = 10_000_000;
/** For the whole body: senders give up after ten seconds themselves. */
const longestBodyMs = 15_000;
/** Of one address, whatever it sends: some code hosts send all of theirs from one. */
const ofAddress = { perSecond: 50, burst: 500 };
/** Bodies that arrive at once. */
const mostOpen = 256;
/** Of one address: nobody holds all places by sending slowly. */
const mostOpenOfAddress = 32;

const params = z.object({
  name: z.string().min(1).max(200).describe('Of a forge, or of a webhook trigger.'),
});
const taken = z
  .object({
    schema: z.literal('berth.hook/v1'),
    /** Null: it can start nothing, and was not kept. */
    id: z.string().nullable(),
    /** It was there already. */
    repeated: z.boolean(),
  })
  .meta({ id: 'HookAnswer' });

/**
 * Where deliveries come in. Nobody signs in: a signature over the raw body is what lets one in, so that the body is read
 * as it comes and no parser sees it before. What has no hook answers as what is signed wrongly, and takes as long.
 */
export function hookRoutes(app: FastifyInstance, { hooks }: ApiContext): void {
  const held = buckets(systemClock);
  const open = new Map<string, number>();
  let opened = 0;
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    // The handler reads the request itself.
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined));
    scope.addHook('onRequest', async (request) => {
      if (request.ip !== undefined && request.ip !== '') held.take(networkOf(request.ip), ofAddress);
      const length = request.headers['content-length'];
      if (length !== undefined && Number(length) > mostBytes) {
        throw new BerthError('BODY_TOO_LARGE', `A delivery has at most ${mostBytes} bytes.`);
      }
    });
    // What was not read to its end is not read on behind the answer.
    scope.addHook('onError', async (request, reply) => {
      if (!request.raw.complete) reply.header('connection', 'close');
    });
    const routes = scope.withTypeProvider<ZodTypeProvider>();
    for (const [path, entrance, operationId, summary] of [
      ['forges', 'forge', 'receiveForgeHook', 'Takes a signed delivery of a code host.'],
      ['triggers', 'trigger', 'receiveTriggerHook', 'Takes a signed delivery for a webhook trigger.'],
    ] as const) {
      routes.post(
        `/hooks/${path}/:name`,
        {
          config: { ...bySignature, audit: { recordedByHandler: true } },
          schema: { operationId, summary, params, response: { 202: taken, ...problems } },
        },
        async (request, reply) => {
          const from = request.ip === undefined || request.ip === '' ? 'socket' : networkOf(request.ip);
          const ofThis = open.get(from) ?? 0;
          if (opened >= mostOpen || ofThis >= mostOpenOfAddress) {
            throw new BerthError('OVERLOADED', 'Too many deliveries arrive at once.');
          }
          opened += 1;
          open.set(from, ofThis + 1);
          try {
            const answer = await receive(hooks, request, entrance, request.params.name);
            return reply.code(202).send({ schema: 'berth.hook/v1', ...answer });
          } finally {
            opened -= 1;
            const left = (open.get(from) ?? 1) - 1;
            if (left === 0) open.delete(from);
            else open.set(from, left);
          }
        },
      );
    }
  });
}

async function receive(
  hooks: HookDoor | null,
  request: FastifyRequest,
  entrance: DeliveryEntrance,
  name: string,
): ReturnType<Awaited<ReturnType<HookDoor['begin']>>['end']> {
  if (hooks === null) throw new BerthError('HOOK_REFUSED');
  const receiving = await hooks.begin({ entrance, name, header: singleHeader(request.raw) });
  try {
    await readPieces(request.raw, (chunk) => receiving.update(chunk));
    return await receiving.end();
  } finally {
    receiving.release();
  }
}

/** A header that stands there twice is none: which of them counts is nothing to guess. */
function singleHeader({ rawHeaders }: IncomingMessage): (name: string) => string | null {
  const values = new Map<string, string | null>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase();
    values.set(name, values.has(name) ? null : (rawHeaders[at + 1] ?? ''));
  }
  return (name) => values.get(name) ?? null;
}

/** @throws BerthError `BODY_TOO_LARGE`; `USAGE` when it takes too long or breaks off */
async function readPieces(raw: IncomingMessage, onPiece: (chunk: Buffer) => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let bytes = 0;
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes > mostBytes)
      reject(new BerthError('BODY_TOO_LARGE', `A delivery has at most ${mostBytes} bytes.`));
    else onPiece(chunk);
  };
  const onEnd = (): void => resolve();
  const onBroken = (): void => reject(new BerthError('USAGE', 'The body broke off.'));
  const timer = setTimeout(
    () => reject(new BerthError('USAGE', `The body took longer than ${longestBodyMs} ms.`)),
    longestBodyMs,
  );
  raw.on('data', onData).once('end', onEnd).once('error', onBroken).once('close', onBroken);
  try {
    await promise;
  } catch (error) {
    // Nothing more is read of it: the connection ends with the answer.
    raw.pause();
    throw error;
  } finally {
    clearTimeout(timer);
    raw.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken);
  }
}
