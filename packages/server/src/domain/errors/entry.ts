/** One row of the error registry. */
export interface ErrorEntry {
  /** What happened, for a person; the thrower may replace it with a more exact sentence. */
  readonly sentence: string;
  /** What to do about it. */
  readonly next: string;
  /** Whether the same request can succeed later without a change. */
  readonly retryable: boolean;
  /** HTTP status when the code ends an API request. */
  readonly http: number;
  /** Exit code of the CLI (`berth help exit-codes`). */
  readonly exit: number;
}

/** Declares a family of codes; keeps the keys literal. */
export function family<const T extends Record<string, ErrorEntry>>(entries: T): T {
  return entries;
}
