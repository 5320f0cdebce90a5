/** How a lease is held: units are milliseconds of monotonic time. */
export interface LeaseTerms {
  /** How long a renewal holds, by the database's clock. */
  readonly ttlMs: number;
  /** How often it is renewed. */
  readonly everyMs: number;
  /** How long before its end all side effects stop. Covers clocks that run differently and effects under way. */
  readonly marginMs: number;
}

/** A take-over after at most 15 s; three renewals may fail before the worker stops, 3 s before its lease ends. */
export const defaultLeaseTerms: LeaseTerms = { ttlMs: 15_000, everyMs: 3_000, marginMs: 3_000 };

/**
 * How much longer the worker may act. Counted from when the last successful renewal was *sent*: the database set
 * the end later than that, so it cannot come sooner than we think.
 */
export function leaseLeftMs(terms: LeaseTerms, renewedMs: number, nowMs: number): number {
  return renewedMs + terms.ttlMs - terms.marginMs - nowMs;
}
