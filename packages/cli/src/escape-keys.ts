/** What was typed: bytes for the shell, and what the person asked of this command. */
export interface Typed {
  readonly data: Uint8Array;
  readonly asked: 'leave' | 'help' | null;
}

const tilde = 0x7e;

/**
 * Takes `~.` (leave) and `~?` (help) at the beginning of a line out of what is typed, as ssh does; `~~` types one ~.
 * Bytes, not characters: what lies between must pass unchanged.
 */
export class EscapeKeys {
  #isLineStart = true;
  #hasTilde = false;

  take(bytes: Uint8Array): Typed {
    const data: number[] = [];
    for (const byte of bytes) {
      if (this.#hasTilde) {
        this.#hasTilde = false;
        if (byte === 0x2e) return { data: Uint8Array.from(data), asked: 'leave' };
        if (byte === 0x3f) return { data: Uint8Array.from(data), asked: 'help' };
        data.push(tilde);
        if (byte === tilde) {
          this.#isLineStart = false;
          continue;
        }
      } else if (byte === tilde && this.#isLineStart) {
        this.#hasTilde = true;
        continue;
      }
      data.push(byte);
      this.#isLineStart = byte === 0x0d || byte === 0x0a || byte === 0x03 || byte === 0x04;
    }
    return { data: Uint8Array.from(data), asked: null };
  }
}
