import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { BerthError } from '../../domain/errors/index.ts';
import { problemOf, toBerthError } from '../problem.ts';
import { places } from '../access/places.ts';
import { on } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { idParams, problems, seqSchema } from '../schemas.ts';
import { SseWriter } from '../sse-writer.ts';

/**
 * The live stream of a run, as Server-Sent Events: `event` (settled, with `id: <seq>`), `frame` (fleeting, without
 * an id), `end` after the run's last event, `problem` when the stream cannot go on. Resumes after `Last-Event-ID`,
 * or after `after` without one.
 */
export function streamRoutes(app: FastifyInstance, context: ApiContext): void {
  const { controlPlane, heartbeatMs, stalledReaderMs, maxStreams, revocations, stopping } = context;
  const held = places(maxStreams);
  app.withTypeProvider<ZodTypeProvider>().get(
    '/runs/:id/stream',
    {
      config: on('run', 'run.read'),
      // The head of a stream that never ends would never end.
      exposeHeadRoute: false,
      schema: {
        operationId: 'streamRun',
        summary: 'Settled events and live frames as Server-Sent Events.',
        params: idParams,
        querystring: z.object({ after: seqSchema }),
        headers: z.object({ 'last-event-id': z.string().max(20).optional() }),
        produces: ['text/event-stream'],
        response: { ...problems },
      },
    },
    async (request, reply) => {
      held.check(request.principal);
      const after = resumeAfter(request.headers['last-event-id'], request.query.after);
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      const over = revocations?.signalFor(request.principal, gone.signal);
      const leave = held.take(request.principal);
      reply.hijack();
      const writer = new SseWriter(reply.raw, { heartbeatMs, stalledReaderMs, requestId: request.id });
      const signal = AbortSignal.any([writer.closed, stopping, ...(over === undefined ? [] : [over])]);
      let seq = after;
      try {
        for await (const item of controlPlane.follow(request.target.id, after, signal)) {
          if (signal.aborted) break;
          if ('frame' in item) writer.frame(item.frame);
          else if (item.event.seq > seq) {
            seq = item.event.seq;
            await writer.event(item.event.seq, item.event);
          }
        }
        if (!signal.aborted) await writer.named('end', { seq });
      } catch (error) {
        if (!signal.aborted) await writer.named('problem', problemOf(toBerthError(error), request.id));
      } finally {
        leave();
        if (stopping.aborted) writer.comeBack();
        writer.end();
      }
    },
  );
}

/** A reader's own mark wins over the address it first asked. */
function resumeAfter(lastEventId: string | undefined, after: number): number {
  if (lastEventId === undefined || lastEventId === '') return after;
  if (!/^\d{1,10}$/.test(lastEventId) || Number(lastEventId) > 2_147_483_647) {
    throw new BerthError('USAGE', 'Last-Event-ID: a whole number, the seq of the last event seen');
  }
  return Number(lastEventId);
}
