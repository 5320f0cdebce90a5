import type { Duplex } from 'node:stream';
import { pour } from '@berth/protocol';
import type { EgressDecision } from '../domain/egress.ts';
import type { Clock } from '../domain/ports/clock.ts';
import type { Target } from './hosts.ts';

/** The same refusal is recorded once in this time: a looping command must not fill the log. */
const repeatedRefusalMs = 60_000;
/** Different refusals remembered at once; beyond it the oldest is forgotten. */
const rememberedRefusals = 256;

/** Longest part of a path that is recorded. */
const shownPathLength = 200;

/** Reports decisions; repeated refusals are thinned. */
export function createRecorder(clock: Clock, onDecision: (decision: EgressDecision) => void) {
  const refusals = new Map<string, number>();
  const limits = new Set<string>();
  return {
    /** `request`: of one that was read; its query is left out, since queries carry tokens. */
    refused(
      target: Target,
      reason: string,
      code?: string,
      request?: { readonly method: string; readonly path: string },
    ): void {
      // Reasons tell methods and rules apart. Paths are not part of it: a scan would be as many events.
      const key = `${target.host}:${target.port} ${reason}`;
      const last = refusals.get(key);
      const now = clock.monotonicMs();
      if (last !== undefined && now - last < repeatedRefusalMs) return;
      refusals.delete(key);
      refusals.set(key, now);
      if (refusals.size > rememberedRefusals) refusals.delete(refusals.keys().next().value!);
      const shown =
        request === undefined
          ? {}
          : {
              method: printable(request.method, 40),
              path: printable(request.path.split(/[?#]/, 1)[0] ?? '', shownPathLength),
            };
      const named = code === undefined ? {} : { code };
      onDecision({ ...target, allowed: false, reason, ...named, ...shown, bytesUp: 0, bytesDown: 0 });
    },
    /** A limit was reached: told once for the life of the sandbox, however many connections meet it. */
    limited(target: Target, reason: string): void {
      if (limits.has(reason) || limits.size >= rememberedRefusals) return;
      limits.add(reason);
      onDecision({ ...target, allowed: false, reason, bytesUp: 0, bytesDown: 0 });
    },
    closed(
      target: Target,
      reason: string,
      bytesUp: number,
      bytesDown: number,
      contents?: 'inspect' | 'tunnel',
    ): void {
      const read = contents === undefined ? {} : { contents };
      onDecision({ ...target, allowed: true, reason, ...read, bytesUp, bytesDown });
    },
  };
}
export type Recorder = ReturnType<typeof createRecorder>;

function printable(text: string, most: number): string {
  const plain = text.replace(/[^\x20-\x7e]/g, '?');
  return plain.length > most ? `${plain.slice(0, most)}…` : plain;
}

/**
 * Calls `onIdle` once nothing was counted for `idleTimeoutMs`, looking at the counter instead of at each chunk: a listener
 * for data would slow the fast paths of TLS and HTTP down.
 * @returns the way to stop
 */
export function watchIdle(counted: () => number, idleTimeoutMs: number, onIdle: () => void): () => void {
  let last = counted();
  let quiet = 0;
  const timer = setInterval(() => {
    const now = counted();
    quiet = now === last ? quiet + 1 : 0;
    last = now;
    if (quiet >= 4) onIdle();
  }, idleTimeoutMs / 4);
  return () => clearInterval(timer);
}

/**
 * Joins two streams until both directions ended, either broke, or nothing moved for `idleTimeoutMs`.
 * Counts what passed.
 */
export function join(
  inside: Duplex,
  outside: Duplex,
  idleTimeoutMs: number,
): Promise<{ readonly up: number; readonly down: number }> {
  return new Promise((resolve) => {
    let up = 0;
    let down = 0;
    let open = 2;
    const end = () => {
      clearTimeout(idle);
      inside.destroy();
      outside.destroy();
      resolve({ up, down });
    };
    const idle = setTimeout(end, idleTimeoutMs);
    for (const stream of [inside, outside]) {
      stream.on('error', end);
      stream.on('close', () => {
        open -= 1;
        // A stream that closed without an end was cut off: nothing more can come through.
        if (open === 0 || !stream.readableEnded) end();
      });
    }
    if (inside.destroyed || outside.destroyed) return end();
    pour(inside, outside, (bytes) => {
      up += bytes;
      idle.refresh();
    });
    pour(outside, inside, (bytes) => {
      down += bytes;
      idle.refresh();
    });
  });
}
