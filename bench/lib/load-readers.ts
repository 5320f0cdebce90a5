import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

export interface Read {
  readonly kind: string;
  readonly atMs: number;
  readonly ms: number;
}

/** People and programs that look at an installation: reads by a fixed timetable, and live streams. */
export interface Readers {
  /** Every answered read, with when it was asked (`performance.now()`). */
  readonly reads: readonly Read[];
  /** From an entry's time to the moment its reader has it, for entries newer than the stream. */
  readonly delays: readonly { readonly atMs: number; readonly ms: number }[];
  /** Answers that were none. */
  readonly failures: readonly string[];
  stop(): Promise<void>;
}

export interface ReadersOptions {
  readonly url: string;
  readonly token: string;
  /** A run to look at; undefined while there is none. */
  readonly pick: () => string | undefined;
  readonly readsPerSecond: number;
  readonly streams: number;
}

const kinds: readonly (readonly [string, (run: string) => string])[] = [
  ['runs', () => '/runs?limit=50'],
  ['run', (run) => `/runs/${run}`],
  ['outline', (run) => `/runs/${run}/outline`],
  ['events', (run) => `/runs/${run}/events?limit=100`],
];

export function startReaders({ url, token, pick, readsPerSecond, streams }: ReadersOptions): Readers {
  const stopping = new AbortController();
  const { signal } = stopping;
  const headers = { authorization: `Bearer ${token}` };
  const reads: Read[] = [];
  const delays: { atMs: number; ms: number }[] = [];
  const failures: string[] = [];
  const fail = (error: unknown): void => {
    if (!signal.aborted) failures.push(String(error));
  };

  const read = async (turn: number): Promise<void> => {
    const run = pick();
    const [kind, path] = kinds[turn % kinds.length]!;
    if (run === undefined) return;
    const atMs = performance.now();
    const response = await fetch(`${url}/api/v1${path(run)}`, { headers, signal });
    const text = await response.text();
    if (!response.ok) throw new Error(`${kind}: ${response.status} ${text}`);
    reads.push({ kind, atMs, ms: performance.now() - atMs });
  };
  // By the clock, not after the answer before: a slow server is not asked less.
  let turn = 0;
  const timer = setInterval(() => {
    void read((turn += 1)).catch(fail);
  }, 1_000 / readsPerSecond);

  const follow = async (path: string): Promise<void> => {
    const openedAt = Date.now();
    const response = await fetch(`${url}/api/v1${path}`, { headers, signal });
    if (!response.ok || response.body === null) throw new Error(`stream: ${response.status}`);
    let rest = '';
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
      const now = Date.now();
      const parts = (rest + piece).split('\n\n');
      rest = parts.pop() ?? '';
      for (const part of parts) {
        if (!part.includes('event: event')) continue;
        const at = Date.parse(/"at":"([^"]+)"/.exec(part)?.[1] ?? '');
        if (at > openedAt) delays.push({ atMs: performance.now(), ms: now - at });
      }
    }
  };
  /** Half of them follow one run until it ends and then another, half the list and ten runs for a while. */
  const watch = async (place: number): Promise<void> => {
    while (!signal.aborted) {
      const run = pick();
      if (run === undefined) await delay(200, undefined, { signal }).catch(() => undefined);
      else if (place % 2 === 0) await follow(`/runs/${run}/stream`).catch(fail);
      else {
        const runs = [...new Set(Array.from({ length: 10 }, () => pick() ?? run))];
        await follow(`/stream?lists=1&runs=${runs.join(',')}`).catch(fail);
      }
    }
  };
  const watching = Array.from({ length: streams }, (_, place) => watch(place));
  return {
    reads,
    delays,
    failures,
    async stop() {
      clearInterval(timer);
      stopping.abort();
      await Promise.all(watching);
    },
  };
}
