import { BerthError } from '../domain/errors/index.ts';
import type { Clock } from '../domain/ports/clock.ts';

export type Fetch = typeof globalThis.fetch;

/** One call's connection: what it is fetched with, and what is known of its life. */
export interface WatchedConnection {
  readonly fetch: Fetch;
  /** Aborted by the caller's signal, by silence, or by `end`. */
  readonly signal: AbortSignal;
  /** True once the provider accepted the request and began to answer. */
  readonly begun: () => boolean;
  /** What broke the body off, or null. The body itself only ends: see `watchConnection`. */
  readonly lost: () => unknown;
  /** Stops the watch and closes what is left of the connection. */
  readonly end: () => void;
}

/**
 * Watches one call for silence: when no byte has arrived for `idleMs` (the first one included) it is aborted with
 * `MODEL_TIMEOUT`. Bytes are counted and not parts, because providers send pings and blank lines while a model
 * thinks. Redirects are refused: they would carry the key elsewhere.
 */
export function watchConnection(options: {
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly idleMs: number;
  readonly signal: AbortSignal;
}): WatchedConnection {
  const { clock, idleMs } = options;
  const silence = new AbortController();
  const ended = new AbortController();
  const signal = AbortSignal.any([options.signal, silence.signal, ended.signal]);
  let lastByteMs = clock.monotonicMs();
  let begun = false;
  let lost: unknown = null;

  const watch = async (): Promise<void> => {
    for (;;) {
      const leftMs = lastByteMs + idleMs - clock.monotonicMs();
      if (leftMs <= 0) break;
      await clock.sleep(leftMs, signal);
    }
    const seconds = Math.round(idleMs / 1000);
    silence.abort(new BerthError('MODEL_TIMEOUT', `The model provider sent nothing for ${seconds} s.`));
  };
  // It only rejects when the call is over, and then nobody needs it.
  watch().catch(() => undefined);

  return {
    signal,
    begun: () => begun,
    lost: () => lost,
    end: () => ended.abort(new DOMException('The call is over.', 'AbortError')),
    fetch: async (input, init) => {
      const response = await options.fetch(input, { ...init, redirect: 'error' });
      lastByteMs = clock.monotonicMs();
      begun = response.ok;
      if (response.body === null) return response;
      if (response.ok && response.headers.get('content-type')?.startsWith('text/html') === true) {
        throw new BerthError('MODEL_ANSWER_INVALID', 'A web page came instead of an answer of the model.');
      }
      const reader = response.body.getReader();
      const counted = new ReadableStream<Uint8Array<ArrayBuffer>>({
        async pull(controller) {
          try {
            const { done, value } = await reader.read();
            lastByteMs = clock.monotonicMs();
            if (done) controller.close();
            else controller.enqueue(value);
          } catch (error) {
            lost = error;
            controller.close();
          }
        },
        cancel: (reason) => reader.cancel(reason),
      });
      return new Response(counted, {
        status: response.status,
        statusText: response.statusText,
        headers: response.headers,
      });
    },
  };
}
