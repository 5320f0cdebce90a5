import { createSocket } from 'node:dgram';
import { createConnection, isIPv6 } from 'node:net';
import type { GateTarget } from '../gate-spec.ts';

/**
 * What an attempt came to. `unknown`: this process could not even try (no port, no descriptor, no memory left), which
 * somebody inside can bring about and which says nothing about the network.
 */
export type AttemptEnd = 'reached' | 'failed' | 'unknown';

const ownFailures = new Set(['EADDRNOTAVAIL', 'EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EAGAIN']);

function endOf(error: Error): AttemptEnd {
  return 'code' in error && ownFailures.has(String(error.code)) ? 'unknown' : 'failed';
}

/**
 * Tries a target once: a TCP connection that opens, or any answer to a DNS query. Never rejects.
 * @param giveUpMs a connection that opens later than this was not made
 */
export function attempt(target: GateTarget, giveUpMs: number, signal: AbortSignal): Promise<AttemptEnd> {
  return target.protocol === 'tcp' ? connects(target, giveUpMs, signal) : answers(target, giveUpMs, signal);
}

function connects({ host, port }: GateTarget, giveUpMs: number, signal: AbortSignal): Promise<AttemptEnd> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port });
    const over = (end: AttemptEnd): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      socket.destroy();
      resolve(end);
    };
    const stop = (): void => over('unknown');
    const timer = setTimeout(() => over('failed'), giveUpMs);
    signal.addEventListener('abort', stop, { once: true });
    socket.once('connect', () => over('reached'));
    socket.on('error', (error) => over(endOf(error)));
  });
}

/** When the query goes out once more, in case a datagram was lost. */
const againMs = 60;

/** A DNS query for `gate.invalid`, type A: a name that no server has to ask others for (RFC 6761). */
const query = Buffer.concat([
  // Id, "recursion desired", one question.
  Buffer.from([0x42, 0x47, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]),
  Buffer.from('\x04gate\x07invalid\0', 'latin1'),
  Buffer.from([0, 1, 0, 1]),
]);

function answers({ host, port }: GateTarget, giveUpMs: number, signal: AbortSignal): Promise<AttemptEnd> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    const over = (end: AttemptEnd): void => {
      clearTimeout(timer);
      clearTimeout(again);
      signal.removeEventListener('abort', stop);
      try {
        socket.close();
      } catch {
        // It was closed already.
      }
      resolve(end);
    };
    const stop = (): void => over('unknown');
    const send = (): void =>
      socket.send(query, (error) => {
        if (error !== null) over(endOf(error));
      });
    let again: NodeJS.Timeout | undefined;
    const timer = setTimeout(() => over('failed'), giveUpMs);
    signal.addEventListener('abort', stop, { once: true });
    socket.once('message', () => over('reached'));
    socket.on('error', (error) => over(endOf(error)));
    // Connected, so that only its answer counts.
    socket.connect(port, host, () => {
      send();
      again = setTimeout(send, againMs);
    });
  });
}
