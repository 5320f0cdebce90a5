import type { Duplex } from 'node:stream';
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
  return {
    /** `request`: of one that was read; its query is left out, since queries carry tokens. */
    refused(
      target: Target,
      reason: string,
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
      onDecision({ ...target, allowed: false, reason, bytesUp: 0, bytesDown: 0, ...shown });
    },
    closed(
      target: Target,
      { reason, contents }: { readonly reason: string; readonly contents: 'inspect' | 'tunnel' },
      bytesUp: number,
      bytesDown: number,
    ): void {
      onDecision({ ...target, allowed: true, reason, bytesUp, bytesDown, contents });
    },
  };
}
export type Recorder = ReturnType<typeof createRecorder>;

function printable(text: string, most: number): string {
  const plain = text.replace(/[^\x20-\x7e]/g, '?');
  return plain.length > most ? `${plain.slice(0, most)}…` : plain;
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
    inside.on('data', (chunk: Buffer) => {
      up += chunk.length;
      idle.refresh();
    });
    outside.on('data', (chunk: Buffer) => {
      down += chunk.length;
      idle.refresh();
    });
    if (inside.destroyed || outside.destroyed) return end();
    inside.pipe(outside);
    outside.pipe(inside);
  });
}
