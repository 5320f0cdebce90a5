/** Chunks under this size are copied together, so that many tiny frames cost memory by their bytes, not their number. */
const smallBytes = 8 * 1024;
const blockBytes = 32 * 1024;

/** A first-in first-out queue of bytes whose memory stays within a small factor of the bytes it holds. */
export class ByteQueue {
  #chunks: Buffer[] = [];
  #head = 0;
  /** Free space of the last chunk, when that is a block of our own. */
  #block: Buffer | null = null;
  #blockUsed = 0;
  #length = 0;

  /** Bytes waiting. */
  get length(): number {
    return this.#length;
  }

  push(data: Buffer): void {
    this.#length += data.length;
    if (data.length >= smallBytes) {
      this.#sealBlock();
      this.#chunks.push(data);
      return;
    }
    if (this.#block !== null && this.#blockUsed + data.length > this.#block.length) this.#sealBlock();
    if (this.#block === null) {
      const wanted = this.#length > data.length ? blockBytes : data.length;
      this.#block = Buffer.allocUnsafe(wanted);
      this.#blockUsed = 0;
    }
    data.copy(this.#block, this.#blockUsed);
    this.#blockUsed += data.length;
  }

  /** The next bytes, at most `most`; null when empty. */
  shift(most: number): Buffer | null {
    if (this.#head >= this.#chunks.length) {
      this.#chunks = [];
      this.#head = 0;
      this.#sealBlock();
      if (this.#chunks.length === 0) return null;
    }
    const chunk = this.#chunks[this.#head]!;
    if (chunk.length > most) {
      this.#chunks[this.#head] = chunk.subarray(most);
      this.#length -= most;
      return chunk.subarray(0, most);
    }
    this.#chunks[this.#head] = emptyChunk;
    this.#head += 1;
    this.#length -= chunk.length;
    return chunk;
  }

  clear(): void {
    this.#chunks = [];
    this.#head = 0;
    this.#block = null;
    this.#blockUsed = 0;
    this.#length = 0;
  }

  #sealBlock(): void {
    if (this.#block !== null && this.#blockUsed > 0)
      this.#chunks.push(this.#block.subarray(0, this.#blockUsed));
    this.#block = null;
    this.#blockUsed = 0;
  }
}

const emptyChunk = Buffer.alloc(0);
