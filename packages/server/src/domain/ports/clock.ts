/**
 * Time, injected so that tests can hold it. `nowMs` is the wall clock and may jump; `monotonicMs` never goes
 * back: durations, time-outs and leases use it alone.
 */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00Z. */
  nowMs(): number;
  /** Milliseconds since an arbitrary point; never decreases. */
  monotonicMs(): number;
  /** Resolves after `ms` milliseconds of monotonic time; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
