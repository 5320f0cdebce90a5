import { createConnection } from 'node:net';
import type { Socket } from 'node:net';

/** A connected socket that reads into one buffer, and what `MuxOptions.feed` wants. */
export interface DialledSocket {
  readonly socket: Socket;
  readonly feed: (receive: (chunk: Buffer) => void) => void;
}

const readBytes = 128 * 1024;

/** Connects to a unix socket. Rejects with the system's error, or the signal's reason. */
export function dialUnixSocket(path: string, signal?: AbortSignal): Promise<DialledSocket> {
  return new Promise((resolve, reject) => {
    // Bytes that arrive before there is a receiver; the peer says HELLO at once.
    const early: Buffer[] = [];
    let receive = (chunk: Buffer): void => {
      early.push(Buffer.from(chunk));
    };
    const socket = createConnection({
      path,
      onread: {
        buffer: Buffer.allocUnsafeSlow(readBytes),
        callback: (bytes, buffer) => {
          receive(Buffer.from(buffer.buffer, buffer.byteOffset, bytes));
          return true;
        },
      },
    });
    const stop = (): void => {
      socket.destroy();
      reject(signal?.reason as Error);
    };
    signal?.addEventListener('abort', stop, { once: true });
    socket.once('error', (error) => {
      signal?.removeEventListener('abort', stop);
      reject(error);
    });
    socket.once('connect', () => {
      signal?.removeEventListener('abort', stop);
      socket.removeAllListeners('error');
      resolve({
        socket,
        feed: (receiver) => {
          for (const chunk of early.splice(0)) receiver(chunk);
          receive = receiver;
        },
      });
    });
  });
}
