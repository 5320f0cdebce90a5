import { WebSocket } from 'ws';
import { ApiFailure, failureFrom, unreachable } from './api-failure.ts';
import { baseUrlOf, type ServerAddress } from './http-fetch.ts';

/** How a terminal ended. */
export type TerminalEnd =
  | { readonly kind: 'exit'; readonly exitCode: number | null }
  | { readonly kind: 'failed'; readonly failure: ApiFailure };

export interface TerminalEvents {
  /** Bytes of the terminal, as they are. */
  output(data: Uint8Array): void;
  /** A sentence about the terminal itself. */
  notice(text: string): void;
}

export interface OpenTerminal {
  type(data: Uint8Array): void;
  resize(columns: number, rows: number): void;
  /** Ends the shell. */
  leave(): void;
  readonly ended: Promise<TerminalEnd>;
}

/**
 * Opens a shell in the sandbox of a run.
 * @throws ApiFailure what the server refused it with, or `SERVER_UNREACHABLE`
 */
export async function openTerminal(
  address: ServerAddress,
  runId: string,
  size: { readonly columns: number; readonly rows: number },
  events: TerminalEvents,
): Promise<OpenTerminal> {
  const path = `/api/v1/runs/${encodeURIComponent(runId)}/terminal?columns=${size.columns}&rows=${size.rows}`;
  const url =
    'socketPath' in address
      ? `ws+unix:${address.socketPath}:${path}`
      : `${baseUrlOf(address).replace(/^http/, 'ws')}${path}`;
  const token = 'token' in address ? { authorization: `Bearer ${address.token}` } : {};
  const socket = new WebSocket(url, {
    headers: { host: 'socketPath' in address ? 'localhost' : new URL(baseUrlOf(address)).host, ...token },
    perMessageDeflate: false,
    maxPayload: 1024 * 1024,
  });
  const { promise: ended, resolve: end } = Promise.withResolvers<TerminalEnd>();
  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary) events.output(data);
    else take(data, events, end);
  });
  socket.once('close', () => {
    // Without a word before it: the server went away.
    end({ kind: 'failed', failure: unreachable(new Error('the connection ended')) });
  });
  await opened(socket);
  const say = (data: string | Uint8Array): void => {
    if (socket.readyState === socket.OPEN) socket.send(data);
  };
  return {
    type: (data) => say(data),
    resize: (columns, rows) => say(JSON.stringify({ type: 'resize', columns, rows })),
    leave: () => {
      end({ kind: 'exit', exitCode: null });
      socket.close(1000);
    },
    ended,
  };
}

function take(data: Buffer, events: TerminalEvents, end: (how: TerminalEnd) => void): void {
  const message = JSON.parse(data.toString()) as Readonly<Record<string, unknown>>;
  if (message['type'] === 'notice') events.notice(String(message['text']));
  if (message['type'] === 'exit') {
    const { exitCode } = message;
    end({ kind: 'exit', exitCode: typeof exitCode === 'number' ? exitCode : null });
  }
  if (message['type'] === 'error') {
    const failure = new ApiFailure({
      code: String(message['code']),
      message: String(message['text']),
      next: null,
      exit: 9,
    });
    end({ kind: 'failed', failure });
  }
}

function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve());
    socket.on('error', (error) => reject(unreachable(error)));
    socket.once('unexpected-response', (_, response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('end', () => {
        reject(failureFrom(json(Buffer.concat(chunks)), response.statusCode ?? 500));
        socket.terminate();
      });
    });
  });
}

function json(data: Buffer): unknown {
  try {
    return JSON.parse(data.toString());
  } catch {
    return null;
  }
}
