/** The most that is kept of the end of an output that is cut. A command says at its end how it went. */
const mostBytes = 64 * 1024;

const marker = Buffer.from('\n[output left out here]\n');

export interface OutputPiece {
  readonly kind: 'stdout' | 'stderr';
  readonly data: Buffer;
}

/** Holds what came last of an output that is longer than may be kept, in bounded memory. */
export class OutputEnd {
  /** How much of the output's maximum is for its end. */
  readonly bytes: number;
  readonly #pieces: OutputPiece[] = [];
  #length = 0;
  #cut = false;

  constructor(maxOutputBytes: number) {
    this.bytes = Math.min(mostBytes, Math.floor(maxOutputBytes / 4));
  }

  get isEmpty(): boolean {
    return this.#pieces.length === 0 && !this.#cut;
  }

  /** Whether something was left out. */
  get cut(): boolean {
    return this.#cut;
  }

  add(kind: OutputPiece['kind'], data: Buffer): void {
    if (data.length === 0) return;
    // A copy: what comes is a part of a much larger buffer.
    this.#pieces.push({ kind, data: Buffer.from(data.subarray(-this.bytes || data.length)) });
    this.#length += this.#pieces.at(-1)!.data.length;
    this.#cut ||= data.length > this.bytes;
    this.#trim(this.bytes);
  }

  /** What is to stand at the end of the output, after a line that says that something is missing. */
  take(): OutputPiece[] {
    const marked = this.#cut && this.bytes > marker.length;
    if (marked) this.#trim(this.bytes - marker.length);
    const pieces = this.#pieces.splice(0);
    this.#length = 0;
    return marked ? [{ kind: pieces.at(-1)?.kind ?? 'stdout', data: marker }, ...pieces] : pieces;
  }

  #trim(most: number): void {
    while (this.#length > most) {
      const [first] = this.#pieces;
      if (first === undefined) return;
      const over = this.#length - most;
      this.#cut = true;
      if (first.data.length <= over) this.#pieces.shift();
      else this.#pieces[0] = { kind: first.kind, data: first.data.subarray(over) };
      this.#length -= Math.min(first.data.length, over);
    }
  }
}
