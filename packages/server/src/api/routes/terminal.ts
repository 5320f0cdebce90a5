import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { WebSocket } from 'ws';
import { z } from 'zod';
import { BerthError } from '../../domain/errors/index.ts';
import type { Terminal } from '../../domain/ports/terminal.ts';
import { places } from '../access/places.ts';
import { on } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { idParams, problems } from '../schemas.ts';

/** Terminals open at once in this process. */
const maxTerminals = 128;
/** A person's terminal that takes nothing for so long is gone. */
const pingMs = 20_000;

const sizeSchema = z.coerce.number<string>().int().min(1).max(1_000);
const controlSchema = z.object({
  type: z.literal('resize'),
  columns: z.number().int().min(1).max(1_000),
  rows: z.number().int().min(1).max(1_000),
});

/**
 * A shell in the sandbox of a run, over a WebSocket. Binary messages are bytes of the terminal, both ways. Text messages
 * are JSON: `{type:"resize",columns,rows}` from the client; `{type:"notice",text}`, and at the end
 * `{type:"exit",exitCode}` or `{type:"error",code,text}`, from the server.
 */
export function terminalRoutes(app: FastifyInstance, context: ApiContext): void {
  const held = places(maxTerminals);
  app.withTypeProvider<ZodTypeProvider>().route({
    method: 'GET',
    url: '/runs/:id/terminal',
    config: on('run', 'run.terminal'),
    // After the permission was decided.
    preHandler: async (request) => {
      refuseForeignPages(request);
      if (context.terminals === null) throw new BerthError('TERMINAL_UNAVAILABLE');
      if (context.stopping.aborted) throw new BerthError('OVERLOADED');
      held.check(request.principal);
    },
    schema: {
      operationId: 'openTerminal',
      summary: 'A shell in the sandbox of the run, over a WebSocket.',
      params: idParams,
      querystring: z.object({ columns: sizeSchema.default(80), rows: sizeSchema.default(24) }),
      response: { ...problems },
    },
    handler: async () => {
      throw new BerthError('USAGE', 'A terminal is opened over a WebSocket.');
    },
    wsHandler: (socket, request) => {
      const leave = takePlace(held, socket, request);
      if (leave === null) return;
      serve(socket, request, context)
        .catch((error: unknown) => {
          context.log?.error('terminal failed', { error, request: request.id, run: request.target.id });
          socket.terminate();
        })
        .finally(leave);
    },
  });
}

/** Between the check and here others may have come in: the connection that is one too many is closed. */
function takePlace(
  held: ReturnType<typeof places>,
  socket: WebSocket,
  request: FastifyRequest,
): (() => void) | null {
  try {
    return held.take(request.principal);
  } catch {
    socket.close(1013, 'too many terminals');
    return null;
  }
}

/** A page of another origin can open WebSockets with this origin's cookies: its `Origin` tells. */
function refuseForeignPages({ headers }: FastifyRequest): void {
  const { origin, host } = headers;
  if (origin === undefined) return;
  if (URL.parse(origin)?.host !== host) throw new BerthError('BROWSER_REFUSED');
}

async function serve(
  socket: WebSocket,
  request: FastifyRequest<{ Querystring: { columns: number; rows: number } }>,
  context: ApiContext,
): Promise<void> {
  const { principal, target, query } = request;
  const { terminals } = context;
  if (terminals === null) return;
  socket.on('error', () => socket.terminate());
  const terminal = terminals.open(
    { runId: target.id, columns: query.columns, rows: query.rows, by: principal.id },
    {
      // Answered when the bytes were handed on: a reader that is slow slows the shell, not this process.
      output: (data) => new Promise((resolve) => socket.send(data, () => resolve())),
      notice: (text) => say(socket, { type: 'notice', text }),
    },
  );
  // Read when the connection ends, which is when the act on record ends.
  if (request.audited !== null) request.audited.details = terminal.traffic;
  listen(socket, terminal);
  const stopListening = watch(socket, request, terminal, context);
  const end = await terminal.ended;
  stopListening();
  if (end.kind === 'exit') say(socket, { type: 'exit', exitCode: end.exitCode });
  else say(socket, { type: 'error', code: end.code, text: end.sentence });
  socket.close(1000);
}

function say(socket: WebSocket, message: object): void {
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
}

function listen(socket: WebSocket, terminal: Terminal): void {
  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary) {
      if (!terminal.type(data)) socket.close(1008, 'too much typed at once');
      return;
    }
    const control = controlSchema.safeParse(json(data));
    if (control.success) terminal.resize(control.data.columns, control.data.rows);
    else socket.close(1007, 'not understood');
  });
  socket.once('close', () => terminal.leave());
}

/** Ends the connection when its reader is gone without a word, may not sit here any more, or when this server stops. */
function watch(
  socket: WebSocket,
  request: FastifyRequest,
  terminal: Terminal,
  { stopping, revocations }: ApiContext,
): () => void {
  const over = new AbortController();
  const revoked = revocations?.signalFor(request.principal, over.signal);
  revoked?.addEventListener('abort', () => {
    terminal.leave();
    socket.close(1008, 'the sign-in or token that opened it is over');
  });
  let isAlive = true;
  socket.on('pong', () => {
    isAlive = true;
  });
  const pings = setInterval(() => {
    if (!isAlive) socket.terminate();
    isAlive = false;
    socket.ping();
  }, pingMs);
  const stop = (): void => {
    terminal.leave();
    socket.close(1012, 'this server is stopping: open it again');
  };
  stopping.addEventListener('abort', stop, { once: true });
  return () => {
    over.abort();
    clearInterval(pings);
    stopping.removeEventListener('abort', stop);
  };
}

function json(data: Buffer): unknown {
  try {
    return JSON.parse(data.toString());
  } catch {
    return null;
  }
}
