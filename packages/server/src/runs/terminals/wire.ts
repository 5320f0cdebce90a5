import type { WebSocket } from 'ws';
import { z } from 'zod';
import type { Dial } from '../../internal/dial.ts';
import type { InternalRoute } from '../../internal/listener.ts';
import type { RunOwner } from '../../store/runs/find-owner.ts';
import type { Attached, AttachEvents, AttachRequest, TerminalHost } from './host.ts';

export const terminalPath = '/internal/v1/terminal';

/*
 * Between an API replica and the owner: binary messages carry bytes behind a number of eight octets (output: where it
 * ends; input: its place), text messages carry what else there is to say.
 */

const toOwnerSchema = z.discriminatedUnion('t', [
  z.object({ t: z.literal('ack'), offset: z.number().int().nonnegative() }),
  z.object({ t: z.literal('resize'), columns: sizeSchema(), rows: sizeSchema() }),
  z.object({ t: z.literal('leave') }),
]);
const endSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('exit'), exitCode: z.number().nullable() }),
  z.object({ kind: z.literal('failed'), code: z.string(), sentence: z.string() }),
]);
const toApiSchema = z.discriminatedUnion('t', [
  z.object({ t: z.literal('opened'), terminal: z.string() }),
  z.object({ t: z.literal('taken'), input: z.number() }),
  z.object({ t: z.literal('ended'), end: endSchema }),
]);
const querySchema = z.object({
  run: z.string(),
  epoch: z.coerce.number().int(),
  terminal: z.string().nullable(),
  offset: z.coerce.number().int().nonnegative(),
  columns: z.coerce.number().pipe(sizeSchema()),
  rows: z.coerce.number().pipe(sizeSchema()),
  by: z.string().min(1),
});

function sizeSchema(): z.ZodNumber {
  return z.number().int().min(1).max(1_000);
}

/** Serves shells of owned runs to API replicas. */
export function terminalRoute(host: TerminalHost): InternalRoute {
  return (socket, query) => {
    const asked = querySchema.safeParse({ terminal: null, ...Object.fromEntries(query) });
    if (!asked.success) {
      socket.close(4400, 'not understood');
      return;
    }
    const { run: runId, ...request } = asked.data;
    const say = (message: z.infer<typeof toApiSchema>): void => socket.send(JSON.stringify(message));
    const attached = host.attach(
      { ...request, runId },
      {
        opened: (terminal) => say({ t: 'opened', terminal }),
        output: (nextOffset, data) => socket.send(numbered(nextOffset, data)),
        taken: (input) => say({ t: 'taken', input }),
        ended(end) {
          say({ t: 'ended', end });
          socket.close(1000);
        },
        lost: () => socket.close(4410, 'let go of'),
      },
    );
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) {
        if (data.length > 8) attached.type(Number(data.readBigUInt64BE()), data.subarray(8));
        return;
      }
      const message = toOwnerSchema.safeParse(json(data));
      if (!message.success) socket.close(4400, 'not understood');
      else if (message.data.t === 'ack') attached.ack(message.data.offset);
      else if (message.data.t === 'resize') attached.resize(message.data.columns, message.data.rows);
      else attached.leave();
    });
    socket.once('close', () => attached.drop());
  };
}

/** Attaches to the shell at its owner. @throws BerthError `OWNER_UNREACHABLE` */
export async function attachRemotely(
  dial: Dial,
  owner: RunOwner & { readonly address: string },
  request: AttachRequest,
  events: AttachEvents,
  signal: AbortSignal,
): Promise<Attached> {
  const { runId, terminal, epoch, offset, columns, rows, by } = request;
  const query = {
    run: runId,
    by,
    ...(terminal === null ? {} : { terminal }),
    ...Object.fromEntries(
      Object.entries({ epoch, offset, columns, rows }).map(([name, n]) => [name, String(n)]),
    ),
  };
  const socket = await dial(owner.address, { role: 'worker', id: owner.worker }, terminalPath, query, signal);
  follow(socket, events);
  const say = (message: z.infer<typeof toOwnerSchema>): void => socket.send(JSON.stringify(message));
  return {
    type: (input, data) => socket.send(numbered(input, data)),
    resize: (toColumns, toRows) => say({ t: 'resize', columns: toColumns, rows: toRows }),
    ack: (at) => say({ t: 'ack', offset: at }),
    leave: () => say({ t: 'leave' }),
    drop: () => socket.close(1000),
  };
}

/** A dead machine sends no end: a silent one is asked, and given up. */
const pingMs = 5_000;

function follow(socket: WebSocket, events: AttachEvents): void {
  let isOver = false;
  let isAlive = true;
  const pings = setInterval(() => {
    if (!isAlive) socket.terminate();
    isAlive = false;
    socket.ping();
  }, pingMs);
  socket.on('pong', () => {
    isAlive = true;
  });
  socket.on('message', (data: Buffer, isBinary) => {
    isAlive = true;
    if (isOver) return;
    if (isBinary) {
      if (data.length >= 8) events.output(Number(data.readBigUInt64BE()), data.subarray(8));
      return;
    }
    const message = toApiSchema.safeParse(json(data));
    if (!message.success) socket.terminate();
    else if (message.data.t === 'opened') events.opened(message.data.terminal);
    else if (message.data.t === 'taken') events.taken(message.data.input);
    else {
      isOver = true;
      events.ended(message.data.end);
    }
  });
  socket.once('close', () => {
    clearInterval(pings);
    if (isOver) return;
    isOver = true;
    events.lost();
  });
}

function numbered(number: number, data: Uint8Array): Buffer {
  const message = Buffer.allocUnsafe(8 + data.length);
  message.writeBigUInt64BE(BigInt(number));
  message.set(data, 8);
  return message;
}

function json(data: Buffer): unknown {
  try {
    return JSON.parse(data.toString());
  } catch {
    return null;
  }
}
