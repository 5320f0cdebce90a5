import type { Blobs } from '../domain/ports/blobs.ts';
import type { EventSink } from '../domain/ports/event-sink.ts';
import { noRedaction, type Redactor } from '../domain/ports/redaction.ts';
import type { OutputChunk } from '../domain/ports/sandbox.ts';

/** What people see of an output without opening it, in bytes. */
const tailBytes = 4_096;

export interface CapturedOutput {
  readonly output: string | null;
  readonly outputBytes: number;
  readonly tail: string;
}

export interface OutputCapture {
  /** Takes the next chunk; resolves when the blob store can take more. */
  take(chunk: OutputChunk): Promise<void>;
  /** Ends the capture and makes the output durable. */
  finish(): Promise<CapturedOutput>;
  /** Drops what was captured: watching was stopped, and the next owner captures anew. */
  abandon(): void;
}

/**
 * Sends a command's output to the blob store while it comes, and to whoever watches, without secrets: also where one is
 * split over chunks, or would be cut by the tail. Holds one chunk and the tail in memory, however long the output is.
 */
export function captureOutput(
  callId: string,
  blobs: Blobs,
  events: EventSink,
  redaction: Redactor = noRedaction,
): OutputCapture {
  let stored: Promise<string> | null = null;
  let hand: ((chunk: Uint8Array | null) => Promise<void>) | null = null;
  let outputBytes = 0;
  let tail: Buffer = Buffer.alloc(0);
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  // Whoever watches may see the streams apart; what is stored has them as they came.
  const shown = { stdout: redaction.stream(), stderr: redaction.stream() };
  const whole = redaction.bytes();

  const start = (): ((chunk: Uint8Array | null) => Promise<void>) => {
    const { queue, push } = handover();
    stored = blobs.put(queue);
    // A failed put also rejects `finish`; without this it would be unhandled when the capture is abandoned.
    stored.catch(() => undefined);
    return async (chunk) => {
      await Promise.race([push(chunk), stored]);
    };
  };

  const show = (stream: 'stdout' | 'stderr', text: string): void => {
    if (text !== '') events.live({ kind: 'output', callId, stream, text });
  };

  const keep = async (data: Uint8Array): Promise<void> => {
    if (data.byteLength === 0) return;
    outputBytes += data.byteLength;
    tail = Buffer.concat([tail, data]).subarray(-tailBytes);
    hand ??= start();
    await hand(data);
  };

  return {
    async take({ stream, data }) {
      show(stream, shown[stream].push(decoders[stream].decode(data, { stream: true })));
      await keep(whole.push(data));
    },
    async finish() {
      for (const stream of ['stdout', 'stderr'] as const) show(stream, shown[stream].end());
      await keep(whole.end());
      if (hand === null) return { output: null, outputBytes: 0, tail: '' };
      await hand(null);
      return { output: await stored, outputBytes, tail: printable(tail) };
    },
    abandon() {
      void hand?.(null).catch(() => undefined);
    },
  };
}

/** A queue of one: `push` resolves when its chunk was taken. */
function handover(): { queue: AsyncIterable<Uint8Array>; push: (chunk: Uint8Array | null) => Promise<void> } {
  const waiting: { chunk: Uint8Array | null; taken: () => void }[] = [];
  let wake: (() => void) | null = null;
  async function* queue(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const next = waiting.shift();
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      next.taken();
      if (next.chunk === null) return;
      yield next.chunk;
    }
  }
  return {
    queue: queue(),
    push: (chunk) =>
      new Promise<void>((resolve) => {
        waiting.push({ chunk, taken: resolve });
        wake?.();
      }),
  };
}

/** Bytes as text for people: U+0000, which the database cannot hold, and broken UTF-8 become U+FFFD. */
function printable(bytes: Buffer): string {
  return bytes.toString('utf8').replaceAll('\0', '\uFFFD');
}
