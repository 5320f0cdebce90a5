import { setTimeout as sleep } from 'node:timers/promises';
import { failureFrom, isUnreachable, unreachable } from './api-failure.ts';
import type { BerthClient, Event, LiveFrame } from './client.ts';
import { SseParser, type SseMessage } from './sse-parser.ts';

export type Followed =
  | { readonly event: Event }
  | { readonly frame: LiveFrame }
  /** `lost`: the stream broke, a new one is tried; `back`: it goes on where it was. */
  | { readonly connection: 'lost' | 'back' };

export interface FollowOptions {
  readonly afterSeq?: number;
  readonly signal: AbortSignal;
  /**
   * Asked before every attempt after the first; lets the caller find another server, or become one. Unless given,
   * the same client is tried again.
   */
  readonly reconnect?: () => Promise<BerthClient>;
  /** Pause before the first new attempt, doubled up to two seconds. */
  readonly retryMs?: number;
  /** Attempts in a row without an answer before giving up with `SERVER_UNREACHABLE`. */
  readonly maxAttempts?: number;
  /** Silence after which a stream counts as broken; the server says something every 15 s. */
  readonly silenceMs?: number;
}

/**
 * The run's settled events from `afterSeq` on, each exactly once and in order, with live frames between them; a
 * broken stream is resumed by `seq`. Ends after the last event of a run that has ended.
 * @throws ApiFailure when the run is unknown, the server refuses, or none answers any more
 */
export async function* followRun(
  first: BerthClient,
  runId: string,
  options: FollowOptions,
): AsyncGenerator<Followed, void, undefined> {
  const { signal, retryMs = 100, maxAttempts = 20, silenceMs = 50_000 } = options;
  let client = first;
  let seq = options.afterSeq ?? 0;
  let attempts = 0;
  let isLost = false;
  while (!signal.aborted) {
    try {
      if (attempts > 0 && options.reconnect !== undefined) client = await options.reconnect();
      for await (const message of messages(client, runId, seq, signal, silenceMs)) {
        if (isLost) yield { connection: 'back' };
        isLost = false;
        attempts = 0;
        if (message.event === 'end') return;
        if (message.event === 'problem') throw failureFrom(JSON.parse(message.data), 500);
        if (message.event === 'frame') yield { frame: JSON.parse(message.data) as LiveFrame };
        if (message.event === 'event') {
          const event = JSON.parse(message.data) as Event;
          if (event.seq <= seq) continue;
          seq = event.seq;
          yield { event };
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!isUnreachable(error) || attempts + 1 >= maxAttempts) throw error;
    }
    if (signal.aborted) return;
    if (!isLost) yield { connection: 'lost' };
    isLost = true;
    await sleep(Math.min(retryMs * 2 ** attempts, 2_000), undefined, { signal }).catch(() => undefined);
    attempts += 1;
  }
}

async function* messages(
  client: BerthClient,
  runId: string,
  after: number,
  signal: AbortSignal,
  silenceMs: number,
): AsyncGenerator<SseMessage, void, undefined> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), silenceMs);
  const body = await client.stream(runId, after, AbortSignal.any([signal, silence.signal]));
  const reader = body.getReader();
  const parser = new SseParser();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      timer.refresh();
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } catch (error) {
    if (signal.aborted) throw error;
    throw isUnreachable(error) ? error : unreachable(error);
  } finally {
    clearTimeout(timer);
    await reader.cancel().catch(() => undefined);
  }
}
