import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { visibleProjects, type VisibleProjects } from '../../domain/access.ts';
import { asBerthError, type BerthError } from '../../domain/errors/index.ts';
import type { ControlPlane, Located } from '../../domain/ports/control-plane.ts';
import { requirePermission } from '../access/authorise.ts';
import { places } from '../access/places.ts';
import { listOf } from '../access/route-access.ts';
import { decodeLiveCursor, encodeLiveCursor, wantedRuns } from '../live-cursor.ts';
import type { ApiContext } from '../options.ts';
import { problemOf, toBerthError } from '../problem.ts';
import { problems } from '../schemas.ts';
import { SseWriter } from '../sse-writer.ts';

const flag = z.enum(['0', '1']).default('0');

/**
 * One live stream for all that a client shows: entries of the runs it names, and changes among the rows of runs it may
 * see. Messages: `event` and `run` (each with an opaque `id` to resume after), `frame` (fleeting), `ready` once
 * everything that was there at the start was sent, `problem` when it cannot go on. What is subscribed to is changed by
 * connecting anew with the last `id`.
 */
export function liveStreamRoutes(app: FastifyInstance, context: ApiContext): void {
  const held = places(context.maxStreams);
  app.withTypeProvider<ZodTypeProvider>().get(
    '/stream',
    {
      config: listOf('run.read'),
      exposeHeadRoute: false,
      schema: {
        operationId: 'streamAll',
        summary: 'One stream of several runs’ events and of changes in the list, as Server-Sent Events.',
        querystring: z.object({
          runs: z
            .string()
            .max(2_000)
            .default('')
            .describe('Ids, comma-separated, each with or without `:<seq>`.'),
          lists: flag.describe('1: also changes among the rows of runs.'),
          frames: flag.describe('1: also live frames of the named runs.'),
          view: z.enum(['summary', 'full']).default('full'),
          after: z.string().max(4_000).optional().describe('The `id` of the last message seen.'),
        }),
        headers: z.object({ 'last-event-id': z.string().max(4_000).optional() }),
        produces: ['text/event-stream'],
        response: { ...problems },
      },
    },
    async (request, reply) => {
      held.check(request.principal);
      const { runs, lists, frames, view, after } = request.query;
      // A reader's own mark wins over the address it first asked.
      const mark = request.headers['last-event-id'] ?? '';
      const text = mark === '' ? after : mark;
      const cursor = text === undefined || text === '' ? null : decodeLiveCursor(text);
      const readers = await locateRuns(context.controlPlane, request, runs);
      const stream: Stream = {
        runs: readers.map(({ target, afterSeq }) => ({
          target,
          seq: cursor?.runs[target.id] ?? afterSeq ?? 0,
        })),
        // Before the stream begins: a cursor that is none of ours is an answer and no stream.
        rows: lists === '1' ? await startOfRows(context.controlPlane, request, cursor?.rows ?? null) : null,
        view,
        frames: frames === '1',
      };
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      const revoked = context.revocations?.signalFor(request.principal, gone.signal);
      const leave = held.take(request.principal);
      reply.hijack();
      const { heartbeatMs, stalledReaderMs } = context;
      const writer = new SseWriter(reply.raw, { heartbeatMs, stalledReaderMs, requestId: request.id });
      try {
        await carry(stream, writer, request, context, revoked);
      } catch (error) {
        if (!writer.closed.aborted && !context.stopping.aborted) {
          await writer.named('problem', problemOf(toBerthError(error), request.id));
        }
      } finally {
        leave();
        if (context.stopping.aborted) writer.comeBack();
        writer.end();
      }
    },
  );
}

interface Stream {
  readonly runs: { readonly target: Located; seq: number }[];
  /** Null: changes of rows are not wanted. */
  rows: string | null;
  readonly view: 'summary' | 'full';
  readonly frames: boolean;
}

async function locateRuns(
  controlPlane: ControlPlane,
  request: FastifyRequest,
  text: string,
): Promise<{ target: Located; afterSeq: number | null }[]> {
  const visible = visibleProjects(request.principal);
  const found: { target: Located; afterSeq: number | null }[] = [];
  for (const { id, afterSeq } of wantedRuns(text)) {
    const target = await controlPlane.locate('run', id, visible);
    requirePermission(request.principal, 'run.read', target);
    if (!found.some((one) => one.target.id === target.id)) found.push({ target, afterSeq });
  }
  return found;
}

async function startOfRows(
  controlPlane: ControlPlane,
  request: FastifyRequest,
  position: string | null,
): Promise<string> {
  // A place is checked by asking from it; what it answers is asked for again when the stream has begun.
  const { position: now } = await controlPlane.rowsAfter(position, visibleProjects(request.principal));
  return position ?? now;
}

async function carry(
  stream: Stream,
  writer: SseWriter,
  request: FastifyRequest,
  context: ApiContext,
  revoked: AbortSignal | undefined,
): Promise<void> {
  const { controlPlane } = context;
  const ends = [writer.closed, context.stopping, ...(revoked === undefined ? [] : [revoked])];
  const over = AbortSignal.any(ends);
  const bell = alarm(over);
  const ids = stream.runs.map((run) => run.target.id);
  const stops = [
    controlPlane.watch({ runs: ids, rows: stream.rows !== null }, () => bell.ring()),
    ...(stream.frames
      ? ids.map((run) => controlPlane.watchFrames(run, (frame) => writer.frame({ run, ...frame })))
      : []),
  ];
  const access = recheck(stream, request, context, () => bell.ring());
  const cursor = (): string =>
    encodeLiveCursor({
      runs: Object.fromEntries(stream.runs.map((run) => [run.target.id, run.seq])),
      rows: stream.rows,
    });
  let isReady = false;
  try {
    while (!over.aborted) {
      bell.reset();
      const visible = access.visible();
      const moved = await sendEvents(stream, controlPlane, writer, cursor, over);
      const changed = await sendRows(stream, visible, controlPlane, writer, cursor, over);
      if (moved || changed) continue;
      if (!isReady) await writer.message(cursor(), 'ready', {});
      isReady = true;
      await bell.rung();
    }
  } finally {
    access.stop();
    for (const stop of stops) stop();
  }
}

/** The next entries of each run, in turn; whether there were any. */
async function sendEvents(
  stream: Stream,
  controlPlane: ControlPlane,
  writer: SseWriter,
  cursor: () => string,
  over: AbortSignal,
): Promise<boolean> {
  let moved = false;
  for (const run of stream.runs) {
    const { id } = run.target;
    for (const { full, summary } of await controlPlane.eventsAfter(id, run.seq)) {
      if (over.aborted) return moved;
      run.seq = full.seq;
      moved = true;
      await writer.message(cursor(), 'event', stream.view === 'full' ? full : { run: id, ...summary });
    }
  }
  return moved;
}

async function sendRows(
  stream: Stream,
  visible: VisibleProjects,
  controlPlane: ControlPlane,
  writer: SseWriter,
  cursor: () => string,
  over: AbortSignal,
): Promise<boolean> {
  if (stream.rows === null) return false;
  const { rows, position } = await controlPlane.rowsAfter(stream.rows, visible);
  for (const change of rows) {
    if (over.aborted) return true;
    stream.rows = change.position;
    await writer.message(cursor(), 'run', change.row);
  }
  stream.rows = position;
  return rows.length > 0;
}

/** Asks again and again whether the reader may still read: a net beneath `revocations`, which ends streams at once. */
function recheck(
  stream: Stream,
  request: FastifyRequest,
  context: ApiContext,
  ring: () => void,
): { visible(): VisibleProjects; stop(): void } {
  let visible = visibleProjects(request.principal);
  let refusal: BerthError | null = null;
  let unanswered = 0;
  const ask = async (): Promise<void> => {
    const principal = await context.authenticate(request);
    for (const { target } of stream.runs) requirePermission(principal, 'run.read', target);
    visible = visibleProjects(principal);
    unanswered = 0;
  };
  const look = (): void => {
    ask().catch((error: unknown) => {
      const known = asBerthError(error);
      unanswered += 1;
      // While the database is away nothing new is shown either; a right that cannot be asked for is none for long.
      if (known.code === 'DATABASE_UNAVAILABLE' && unanswered < 6) return;
      refusal = known;
      ring();
    });
  };
  const timer = setInterval(look, context.recheckMs);
  timer.unref();
  return {
    visible() {
      if (refusal !== null) throw refusal;
      return visible;
    },
    stop() {
      clearInterval(timer);
    },
  };
}

/** Something to wait for that may ring before it is waited for. */
function alarm(over: AbortSignal): { ring(): void; reset(): void; rung(): Promise<void> } {
  let isRinging = false;
  let wake: () => void = () => undefined;
  const ring = (): void => {
    isRinging = true;
    wake();
  };
  over.addEventListener('abort', ring, { once: true });
  return {
    ring,
    reset() {
      isRinging = over.aborted;
    },
    async rung() {
      if (isRinging) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    },
  };
}
