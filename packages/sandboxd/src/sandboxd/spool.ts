import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Output of all calls that may lie on disk. */
const spoolBytes = 64 * 1024 * 1024;
/** Output of all calls together that may stay in memory before finished parts go to disk. */
const memoryBytes = 16 * 1024 * 1024;

/**
 * The part of all output logs that does not fit into memory: files of one segment (256 KiB) each. Written
 * synchronously: a segment goes to the page cache in about 0.1 ms.
 */
export class Spool {
  readonly #directory: string;
  #used = 0;
  #memory = 0;
  #next = 1;

  readonly #makeRoom: () => void;

  /** @param makeRoom called when the spool is full; it may give up output that was delivered */
  constructor(directory: string, makeRoom: () => void = () => {}) {
    this.#directory = directory;
    this.#makeRoom = makeRoom;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** Bytes on disk. */
  get usedBytes(): number {
    return this.#used;
  }

  get memoryFull(): boolean {
    return this.#memory > memoryBytes;
  }

  countMemory(bytes: number): void {
    this.#memory += bytes;
  }

  /** The name to read it by, or null when there is no room (or the disk is full). */
  write(bytes: Buffer): string | null {
    if (this.#used + bytes.length > spoolBytes) this.#makeRoom();
    if (this.#used + bytes.length > spoolBytes) return null;
    const name = `${this.#next}`;
    this.#next += 1;
    try {
      writeFileSync(join(this.#directory, name), bytes, { mode: 0o600 });
    } catch {
      rmSync(join(this.#directory, name), { force: true });
      return null;
    }
    this.#used += bytes.length;
    return name;
  }

  read(name: string): Buffer {
    return readFileSync(join(this.#directory, name));
  }

  remove(name: string): void {
    const path = join(this.#directory, name);
    try {
      this.#used -= statSync(path).size;
      rmSync(path);
    } catch {
      // Somebody cleaned up behind us; nothing to free.
    }
  }
}
