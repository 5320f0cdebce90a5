/** How a lease is held: units are milliseconds of monotonic time. */
export interface LeaseTerms {
  /** How long a renewal holds, by the database's clock. */
  readonly ttlMs: number;
  /** How often it is renewed. */
  readonly everyMs: number;
  /** How long before its end all side effects stop. Covers clocks that run differently and effects under way. */
  readonly marginMs: number;
}

/**
 * A take-over from another machine after at most 30 s. The worker stops 5 s before, and so outlasts a database that
 * is away for twenty seconds with its runs in hand.
 */
export const defaultLeaseTerms: LeaseTerms = { ttlMs: 30_000, everyMs: 3_000, marginMs: 5_000 };

/**
 * How much longer the worker may act. Counted from when the last successful renewal was *sent*: the database set
 * the end later than that, so it cannot come sooner than we think.
 */
export function leaseLeftMs(terms: LeaseTerms, renewedMs: number, nowMs: number): number {
  return renewedMs + terms.ttlMs - terms.marginMs - nowMs;
}
