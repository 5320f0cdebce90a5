/** Redacts text that comes in pieces: a secret split over pieces is found too. */
export interface StreamRedactor {
  /** What can be shown now; the rest is held back until it cannot be the beginning of a secret any more. */
  push(piece: string): string;
  /** What was held back, at the end. */
  end(): string;
}

/** As `StreamRedactor`, for bytes of any encoding that keeps ASCII as it is; what is no secret passes unchanged. */
export interface BytesRedactor {
  push(piece: Uint8Array): Uint8Array;
  end(): Uint8Array;
}

/** Takes secrets out of what is stored or shown. */
export interface Redactor {
  /** Any JSON value: strings and keys at every depth. */
  value(value: unknown): unknown;
  /** Text with every form of every secret replaced by `[secret NAME]`. */
  text(text: string): string;
  /** For text that comes in pieces. */
  stream(): StreamRedactor;
  /** For output of commands, before it is stored. */
  bytes(): BytesRedactor;
}

/** Where there is nothing to hide, and in tests. */
export const noRedaction: Redactor = {
  value: (value) => value,
  text: (text) => text,
  stream: () => ({ push: (piece) => piece, end: () => '' }),
  bytes: () => ({ push: (piece) => piece, end: () => new Uint8Array() }),
};
