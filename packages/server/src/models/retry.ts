import { BerthError } from '../domain/errors/index.ts';
import type { ErrorCode } from '../domain/errors/index.ts';
import type { Clock } from '../domain/ports/clock.ts';

/** How often and how long one call is tried again. */
export interface RetryPolicy {
  /** Calls in all, the first included. */
  readonly attempts: number;
  /** No wait is begun that would end later than this after the first call began. */
  readonly totalMs: number;
  /** The first wait; it doubles with each attempt. */
  readonly firstWaitMs: number;
  readonly longestWaitMs: number;
}

/**
 * Six calls within five minutes: 1, 2, 4, 8, 16 s, each between half and whole (jitter), or longer where the
 * provider says so.
 */
export const defaultRetryPolicy: RetryPolicy = {
  attempts: 6,
  totalMs: 300_000,
  firstWaitMs: 1000,
  longestWaitMs: 60_000,
};

export interface RetryNotice {
  readonly code: ErrorCode;
  readonly waitMs: number;
  /** The attempt that failed, from 1. */
  readonly attempt: number;
}

/**
 * The wait before the next attempt in milliseconds, or null when there shall be none. A wait the provider asked
 * for is never shortened: when it does not fit into the total time the call fails at once, and a fallback can
 * be used. Jitter is only added on top of it, so that parallel runs do not return in the same instant.
 */
export function nextWaitMs(
  policy: RetryPolicy,
  state: {
    readonly attempt: number;
    readonly elapsedMs: number;
    readonly askedMs: number | null;
    readonly random: number;
  },
): number | null {
  if (state.attempt >= policy.attempts) return null;
  const doubled = Math.min(policy.longestWaitMs, policy.firstWaitMs * 2 ** (state.attempt - 1));
  const backOffMs = doubled * (0.5 + state.random / 2);
  const waitMs =
    state.askedMs === null ? backOffMs : state.askedMs + Math.min(1000, state.askedMs * 0.1) * state.random;
  return state.elapsedMs + waitMs > policy.totalMs ? null : Math.ceil(waitMs);
}

/**
 * Runs `attempt` until it succeeds, fails for a reason waiting does not mend, or the policy is used up; then
 * throws the last error with `details.attempts`. Rejects with the signal's reason as soon as it is aborted.
 */
export async function withRetries<T>(
  attempt: () => Promise<T>,
  options: {
    readonly policy: RetryPolicy;
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly onRetry?: ((retry: RetryNotice) => void) | undefined;
    /** Says no to an attempt that the policy would allow; called before each wait. */
    readonly mayRetry?: () => boolean | Promise<boolean>;
    /** From 0 up to 1; `Math.random` unless a test holds it. */
    readonly random?: () => number;
  },
): Promise<T> {
  const { policy, clock, signal } = options;
  const random = options.random ?? Math.random;
  const startMs = clock.monotonicMs();
  for (let count = 1; ; count++) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof BerthError) || !error.retryable) throw error;
      const asked = error.details['waitMs'];
      const waitMs = nextWaitMs(policy, {
        attempt: count,
        elapsedMs: clock.monotonicMs() - startMs,
        askedMs: typeof asked === 'number' ? asked : null,
        random: random(),
      });
      if (waitMs === null || (await options.mayRetry?.()) === false) throw withAttempts(error, count);
      options.onRetry?.({ code: error.code, waitMs, attempt: count });
      await clock.sleep(waitMs, signal);
    }
  }
}

function withAttempts(error: BerthError, attempts: number): BerthError {
  return new BerthError(error.code, error.message, {
    next: error.next,
    details: { ...error.details, attempts },
  });
}
