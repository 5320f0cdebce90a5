import { cleanOutput } from './clean-text.ts';

/** What the model sees of one output at most; the whole is kept as a blob. */
export const shownBytes = 8192;
/** Beginnings name the command's complaint, ends its verdict: ends matter more. */
const headBytes = 2560;

/**
 * Takes output as it comes, in bounded memory: its head and tail for the model, and the whole for a blob when it
 * is longer than what is shown.
 */
export class OutputExtract {
  #bytes = 0;
  #head: Uint8Array[] = [];
  #headLength = 0;
  #tail: Uint8Array[] = [];
  #tailLength = 0;
  readonly #store: (chunks: AsyncIterable<Uint8Array>) => Promise<string>;
  #whole: { readonly pipe: Pipe; readonly key: Promise<string> } | null = null;

  constructor(store: (chunks: AsyncIterable<Uint8Array>) => Promise<string>) {
    this.#store = store;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Resolves when the chunk is taken; waiting for it holds the command back while the blob store is slow. */
  async add(chunk: Uint8Array): Promise<void> {
    const before = this.#bytes;
    this.#bytes += chunk.length;
    if (this.#whole === null && this.#bytes > shownBytes) this.#startWhole();
    if (before < shownBytes) {
      const part = chunk.slice(0, shownBytes - before);
      this.#head.push(part);
      this.#headLength += part.length;
    }
    this.#tail.push(chunk.length > shownBytes ? chunk.slice(-shownBytes) : chunk);
    this.#tailLength += this.#tail.at(-1)!.length;
    while (this.#tailLength - this.#tail[0]!.length >= shownBytes)
      this.#tailLength -= this.#tail.shift()!.length;
    await this.#whole?.pipe.write(chunk);
  }

  /** Gives up: nothing is stored. */
  abandon(reason: unknown): void {
    this.#whole?.pipe.fail(reason);
  }

  /** The extract, cleaned, and the blob of the whole when there is more. */
  async end(readOnHint: string): Promise<{ readonly text: string; readonly full: string | null }> {
    if (this.#whole === null)
      return { text: bounded(cleanOutput(decode(join(this.#head, this.#headLength)))), full: null };
    this.#whole.pipe.end();
    const full = await this.#whole.key;
    const head = decode(join(this.#head, this.#headLength).slice(0, headBytes));
    const tail = decode(join(this.#tail, this.#tailLength).slice(headBytes - shownBytes));
    const left = this.#bytes - shownBytes;
    return {
      text: `${bounded(cleanOutput(head))}\n[… ${left} bytes left out; ${readOnHint} …]\n${bounded(cleanOutput(tail))}`,
      full,
    };
  }

  #startWhole(): void {
    const pipe = new Pipe();
    for (const part of this.#head) pipe.preload(part);
    const key = this.#store(pipe.read());
    // Awaited in `end`; until then a failing store must not look like an unhandled rejection.
    key.catch((error: unknown) => pipe.fail(error));
    this.#whole = { pipe, key };
  }
}

/** Making hidden characters visible can lengthen a text eightfold: no longer than twice its share. */
function bounded(text: string): string {
  return text.length <= shownBytes ? text : `${text.slice(0, shownBytes)}…`;
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function join(parts: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** One writer, one reader, one chunk in between. */
class Pipe {
  readonly #queue: Uint8Array[] = [];
  #ended = false;
  #failure: { readonly reason: unknown } | null = null;
  #wakeReader: (() => void) | null = null;
  #wakeWriter: (() => void) | null = null;

  preload(chunk: Uint8Array): void {
    this.#queue.push(chunk);
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#throwIfFailed();
    this.#queue.push(chunk);
    this.#wakeReader?.();
    while (this.#queue.length > 1) {
      await new Promise<void>((resolve) => (this.#wakeWriter = resolve));
      this.#throwIfFailed();
    }
  }

  end(): void {
    this.#ended = true;
    this.#wakeReader?.();
  }

  fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#wakeReader?.();
    this.#wakeWriter?.();
  }

  #throwIfFailed(): void {
    if (this.#failure !== null) throw this.#failure.reason;
  }

  async *read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      this.#throwIfFailed();
      const chunk = this.#queue.shift();
      if (chunk !== undefined) {
        this.#wakeWriter?.();
        yield chunk;
      } else if (this.#ended) return;
      else await new Promise<void>((resolve) => (this.#wakeReader = resolve));
    }
  }
}
