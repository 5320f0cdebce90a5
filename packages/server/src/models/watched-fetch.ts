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

const mostErrorBytes = 256 * 1024;

/**
 * Watches one call for silence: when no byte has arrived for `idleMs` (the first one included) it is aborted with
 * `MODEL_TIMEOUT`. Bytes are counted and not parts, because providers send pings and blank lines while a model
 * thinks. Against a server that only pings or floods stand `longestMs` for the whole call and `mostBytes` for its
 * body. Redirects are refused: they would carry the key elsewhere.
 */
export function watchConnection(options: {
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly idleMs: number;
  readonly longestMs: number;
  readonly mostBytes: number;
  readonly signal: AbortSignal;
}): WatchedConnection {
  const { clock, idleMs, longestMs } = options;
  const silence = new AbortController();
  const ended = new AbortController();
  const signal = AbortSignal.any([options.signal, silence.signal, ended.signal]);
  const startMs = clock.monotonicMs();
  let lastByteMs = startMs;
  let begun = false;
  let lost: unknown = null;

  const timeOut = (what: string): void =>
    silence.abort(new BerthError('MODEL_TIMEOUT', `The model provider ${what}.`));
  const watch = async (): Promise<void> => {
    for (;;) {
      const nowMs = clock.monotonicMs();
      const idleLeftMs = lastByteMs + idleMs - nowMs;
      const leftMs = startMs + longestMs - nowMs;
      if (idleLeftMs <= 0) return timeOut(`sent nothing for ${Math.round(idleMs / 1000)} s`);
      if (leftMs <= 0) return timeOut(`did not end its answer within ${Math.round(longestMs / 60_000)} min`);
      await clock.sleep(Math.min(idleLeftMs, leftMs), signal);
    }
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
      // An error has no more to say than fits here; the SDK would read it whole.
      let bytesLeft = response.ok ? options.mostBytes : mostErrorBytes;
      const counted = new ReadableStream<Uint8Array<ArrayBuffer>>({
        async pull(controller) {
          try {
            const { done, value } = await reader.read();
            lastByteMs = clock.monotonicMs();
            bytesLeft -= value?.byteLength ?? 0;
            if (bytesLeft < 0) {
              if (response.ok) {
                silence.abort(
                  new BerthError(
                    'MODEL_ANSWER_INVALID',
                    'The answer of the model is far larger than was allowed.',
                  ),
                );
              }
              controller.close();
              await reader.cancel();
            } else if (done) controller.close();
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
