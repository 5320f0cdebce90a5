import { Client } from 'pg';
import type { Clock } from '../domain/ports/clock.ts';
import { clientConfig, type Address } from './connect.ts';

const slowestReconnectMs = 5_000;

export interface ListenOptions {
  /** Past a transaction pooler. */
  readonly address: Address;
  readonly clock: Clock;
  /** A name of ours, never data. */
  readonly channel: string;
  readonly onPayload: (payload: string) => void;
  /** Called whenever listening begins (again): what was said before may have been missed. */
  readonly onListening: () => void;
  readonly signal: AbortSignal;
}

/** Listens on a connection of its own and connects again whenever it breaks, until the signal is aborted. Never throws. */
export async function keepListening(options: ListenOptions): Promise<void> {
  const { clock, signal } = options;
  let pauseMs = 100;
  while (!signal.aborted) {
    const startedMs = clock.monotonicMs();
    await listenOnce(options).catch(() => undefined);
    if (clock.monotonicMs() - startedMs > slowestReconnectMs) pauseMs = 100;
    await clock.sleep(pauseMs, signal).catch(() => undefined);
    pauseMs = Math.min(pauseMs * 2, slowestReconnectMs);
  }
}

async function listenOnce({
  address,
  channel,
  onPayload,
  onListening,
  signal,
}: ListenOptions): Promise<void> {
  const client = new Client(clientConfig(address));
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const onAbort = (): void => end();
  client.on('error', () => end());
  client.on('end', () => end());
  client.on('notification', ({ payload }) => onPayload(payload ?? ''));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await client.connect();
    await client.query(`listen ${channel}`);
    onListening();
    if (!signal.aborted) await ended;
  } finally {
    signal.removeEventListener('abort', onAbort);
    client.end().catch(() => undefined);
  }
}
